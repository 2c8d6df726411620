"""`make survey` and `make label`: serve the page that people answer, and keep what they send."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from anomend.labelling.counting import RaterRules
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.project.paths import LABEL_PAGE, SCAN_LABELS, SURVEY_PAGE
from anomend.surveying.connections import TimedProtocol
from anomend.surveying.desks import Desk
from anomend.surveying.exclusion import ExclusionRules
from anomend.surveying.journals import import_journals
from anomend.surveying.labels import SCAN_PAGE
from anomend.surveying.links import addresses
from anomend.surveying.opening import SECRET, open_labels, open_survey
from anomend.surveying.overview import Overview, label_exclusion, overview, survey_exclusion
from anomend.surveying.researcher_page import make_researcher_app
from anomend.surveying.server import make_app
from anomend.surveying.survey_desk import SurveyDesk

LOCAL = "127.0.0.1"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make survey", description="Serve the page until Ctrl+C.")
    parser.add_argument("--host", default=LOCAL, help="address to listen on; 0.0.0.0 opens it to the network")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 takes a free one")
    parser.add_argument("--labels", action="store_true", help="serve the labels' page in place of the survey's")
    parser.add_argument("--scan", action="store_true", help="with --labels: the pictures that a scan asks for")
    parser.add_argument("--url", help="address under which people reach the page, such as https://survey.example.org")
    parser.add_argument("--researcher-host", default=LOCAL, help="address of the researcher's page")
    parser.add_argument("--researcher-port", type=int, default=0, help="its port; 0 takes a free one")
    options = parser.parse_args(arguments)
    params = load_params()
    desk: Desk = (
        open_labels(params.label, scan=options.scan)
        if options.labels
        else open_survey(params.survey, secret=os.environ.get(SECRET))
    )
    page = SCAN_LABELS / SCAN_PAGE if options.scan else LABEL_PAGE
    app = make_app(page if options.labels else SURVEY_PAGE, desk)
    folder = desk.folder or Path()
    try:
        _serve(app, desk, params, options)
    finally:
        if imported := import_journals(desk.journals, folder, desk.as_table):
            what = "labels" if options.labels else "answers"
            again = "make scan" if options.scan else "dvc repro"
            print(f"{len(imported)} {desk.who}s' {what} are in {folder}/: commit them, then run `{again}`.", flush=True)


def _serve(app: Starlette, desk: Desk, params: Params, options: argparse.Namespace) -> None:
    key = secrets.token_urlsafe(24)
    look = _looker(desk, params)
    with (
        _listening(options.host, options.port, "--host or --port") as listener,
        _listening(options.researcher_host, options.researcher_port, "--researcher-port") as own_listener,
    ):
        bases = [f"http://{host}:{listener.getsockname()[1]}/" for host in addresses(options.host)]
        link = f"{options.url.rstrip('/')}/" if options.url else bases[0]
        for line in _announcement(desk, link, [] if options.url else bases[1:]):
            print(line)
        own = f"http://{addresses(options.researcher_host)[0]}:{own_listener.getsockname()[1]}/{key}/"
        print(f"Your own page, for nobody else: {own}")
        print(f"Answers go to {desk.folder}/ when you stop with Ctrl+C.", flush=True)
        researcher = make_researcher_app(
            look, key=key, title=f"{desk.stage.capitalize()}: who has taken part", link=link
        )
        with _in_background(_server(researcher), own_listener):
            _server(app).run(sockets=[listener])


def _announcement(desk: Desk, link: str, others: list[str]) -> Iterator[str]:
    yield f"One link per {desk.who}:"
    for code in desk.codes:
        yield f"  {link}#{code}{_state(desk, code)}"
    if others:
        yield f"This machine has further addresses: {', '.join(others)}"
    if isinstance(desk, SurveyDesk) and desk.entrance:
        taken, name = desk.entrance.taken(), desk.entrance.participant_ids[0]
        yield f"One link for all, {taken} of {desk.entrance.quota} places taken, with a platform's id in it:"
        yield f"  {link}?{name}=..."


def _state(desk: Desk, code: str) -> str:
    answered, asked, state = desk.answered(code), desk.asked(code), desk.state(code)
    if state == "withdrawn":
        return "  (has withdrawn)"
    if state == "finished":
        return "  (has answered)"
    return f"  (has answered {answered} of {asked})" if answered else ""


def _looker(desk: Desk, params: Params) -> Callable[[], Overview]:
    survey, label = params.survey, params.label
    if isinstance(desk, SurveyDesk):
        rules = ExclusionRules(max_failed_catches=survey.max_failed_catches, min_median_ms=survey.min_median_ms)
        excluded = survey_exclusion(rules)
    else:
        excluded = label_exclusion(RaterRules(max_failed_gold=label.max_failed_gold, min_median_ms=label.min_median_ms))
    idle = survey.recruiting.idle_minutes
    return lambda: overview(desk, excluded=excluded, idle_minutes=idle, now=datetime.now(UTC))


@contextmanager
def _listening(host: str, port: int, options: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()  # Links that are followed as soon as they are printed wait instead of failing.
        except (OSError, OverflowError) as error:
            raise ValueError(f"cannot listen on {host}:{port} ({error}): choose another {options}") from None
        yield listener


def _server(app: Starlette) -> uvicorn.Server:
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, http=TimedProtocol)
    return uvicorn.Server(config)


@contextmanager
def _in_background(server: uvicorn.Server, listener: socket.socket) -> Iterator[None]:
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=5)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except (ValueError, OSError) as error:
        print(f"survey_server: {error}", file=sys.stderr)
        sys.exit(1)
