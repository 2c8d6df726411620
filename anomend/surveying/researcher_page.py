"""The researcher's page: who has taken part, how far, and who is left out and why; and the links as CSV."""

from __future__ import annotations

import csv
import hmac
import io
from collections.abc import Callable
from html import escape

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from anomend.surveying.overview import Overview, Person
from anomend.surveying.server import HEADERS

REFRESH_S = 20
COLUMNS = ("Code", "Link", "State", "Answered", "Last answer (UTC)", "Seconds (median)", "Language", "Left out because")
STYLE = """
body { margin: 1.5rem auto; max-width: 84rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #1c1c1c; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ccc; text-align: left; } td { white-space: nowrap; }
td:nth-child(4), td:nth-child(6) { text-align: right; font-variant-numeric: tabular-nums; }
code { font-size: .95rem; }
.bar { display: inline-block; width: 6rem; height: .6rem; background: #ddd; margin-left: .5rem; }
.bar span { display: block; height: 100%; background: #1f5fa8; }
"""


def make_researcher_app(look: Callable[[], Overview], *, key: str, title: str, link: str) -> Starlette:
    """The application; every address without the key is 404.

    Args:
        look: what is known now.
        key: the first part of every path.
        title: heading of the page.
        link: address of the page that people answer, ending in a slash.
    """

    def allowed(request: Request) -> bool:
        return hmac.compare_digest(request.path_params["key"].encode(), key.encode())

    async def page(request: Request) -> Response:
        if not allowed(request):
            return Response("there is nothing here", 404, HEADERS)
        return Response(overview_html(await run_in_threadpool(look), title=title), 200, HEADERS, "text/html")

    async def links(request: Request) -> Response:
        if not allowed(request):
            return Response("there is nothing here", 404, HEADERS)
        table = links_csv(await run_in_threadpool(look), link)
        headers = HEADERS | {"Content-Disposition": "attachment; filename=links.csv"}
        return Response(table, 200, headers, "text/csv")

    return Starlette(
        routes=[
            Route("/{key}/", page, methods=["GET"]),
            Route("/{key}/links.csv", links, methods=["GET"]),
        ]
    )


def links_csv(overview: Overview, link: str) -> str:
    """Links of people with a link of their own: columns code, link, state, answered, asked."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("code", "link", "state", "answered", "asked"))
    for person in overview.people:
        if person.link == "own":
            writer.writerow((person.code, f"{link}#{person.code}", person.state, person.answered, person.asked))
    return text.getvalue()


def overview_html(overview: Overview, *, title: str) -> str:
    """The page; it loads nothing and reloads itself."""
    counts = ", ".join(f"{number} {state}" for state, number in sorted(overview.counts.items()))
    left_out = sum(bool(person.excluded) for person in overview.people)
    places = ""
    if overview.places:
        taken, quota = overview.places
        places = f"<p>Link for all: {taken} of {quota} places are taken.</p>"
    rows = "".join(map(_row, sorted(overview.people, key=lambda person: (person.state == "not begun", person.link))))
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{REFRESH_S}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1><p>{escape(counts)}; {left_out} left out of the "
        f'count.</p>{places}<p><a href="links.csv">Links as CSV</a></p><div class="wide"><table><thead><tr>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table></div></body></html>"
    )


def _row(person: Person) -> str:
    share = person.answered / person.asked if person.asked else 0
    bar = f'<span class="bar"><span style="width: {share:.0%}"></span></span>'
    seconds = "" if person.median_s is None else f"{person.median_s:.1f}"
    cells = (
        f"<code>{escape(person.code)}</code>",
        escape(person.link),
        escape(person.state),
        f"{person.answered} of {person.asked} {bar}",
        escape(person.last),
        seconds,
        escape(person.language),
        escape(person.excluded),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
