"""People of the survey or of labels: `python -m commands.survey_people list|links|delete|code|plan`.

`list` tells who has answered how much, `links` writes the links as CSV, `delete CODE` deletes a person's answers,
`code` reads a platform's id of a participant from standard input, so that no shell keeps it, and prints the code that
it has here, and `plan` tells how many participants the survey takes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.pipeline.participants_needed import survey_plan
from anomend.project.metric_files import read_metrics
from anomend.project.paths import METRICS
from anomend.surveying.desks import Desk
from anomend.surveying.opening import SECRET, open_labels, open_survey
from anomend.surveying.overview import overview
from anomend.surveying.researcher_page import links_csv


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="survey_people", description="People of the survey or of labels.")
    parser.add_argument("--labels", action="store_true", help="raters of labels in place of the survey's participants")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="who has answered how much")
    links = actions.add_parser("links", help="links as CSV")
    links.add_argument("--url", default="http://127.0.0.1:8000", help="address of the page")
    delete = actions.add_parser("delete", help="delete a person's answers, and refuse further ones")
    delete.add_argument("code", help="the person's code, or its first 8 letters and digits")
    actions.add_parser("code", help="the code of a platform's id, which is read from standard input")
    actions.add_parser("plan", help="how many participants the survey takes")
    options = parser.parse_args(arguments)
    params = load_params()
    if options.action == "plan":
        path = METRICS / "survey.json"
        print(*survey_plan(params, read_metrics(path) if path.exists() else None), sep="\n")
        return
    desk: Desk = (
        open_labels(params.label) if options.labels else open_survey(params.survey, secret=os.environ.get(SECRET))
    )
    if options.action == "delete":
        print(*delete_person(desk, options.code), sep="\n")
    elif options.action == "code":
        print(code_of(desk, sys.stdin.read().strip()))
    else:
        print(_table(desk, params, options), end="")


def delete_person(desk: Desk, typed: str) -> list[str]:
    """Delete the answers of a code; what was done, as lines of text.

    Raises:
        ValueError: no code, or more than one, begins like this.
    """
    code = _whole_code(desk, typed)
    deleted = desk.delete(code)
    lines = [f"deleted: {path}" for path in deleted] or [f"{code} has no answers here; further ones are refused"]
    kept = [path for path in deleted if desk.committed(path)]
    return lines + [f"{path} is in git: commit its deletion, and see docs/survey.md for git's history" for path in kept]


def _whole_code(desk: Desk, typed: str) -> str:
    start = typed.lower().replace("-", "").replace(" ", "")
    names = [path.stem for folder in (desk.journals, desk.folder) if folder for path in folder.glob("*.*")]
    found = sorted({code for code in {*desk.codes, *names} if len(start) >= 8 and code.startswith(start)})
    if len(found) != 1:
        raise ValueError(f"{typed!r} is not the code of one person: `list` shows the codes, give 8 letters or more")
    return found[0]


def code_of(desk: Desk, identity: str) -> str:
    """The code that a platform's id has in this survey.

    Raises:
        ValueError: nothing was given, or labels are asked about, which have no link for all.
    """
    entrance = getattr(desk, "entrance", None)
    if entrance is None or not identity:
        raise ValueError("write the platform's id of a survey's participant to standard input")
    return str(entrance.code_of(identity))


def _table(desk: Desk, params: Params, options: argparse.Namespace) -> str:
    minutes = params.survey.recruiting.idle_minutes
    seen = overview(desk, excluded=lambda rows: "", idle_minutes=minutes, now=datetime.now(UTC))
    if options.action == "links":
        return links_csv(seen, f"{options.url.rstrip('/')}/")
    lines = [f"{person.code}  {person.answered:>4} of {person.asked}  {person.state}" for person in seen.people]
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"survey_people: {error}", file=sys.stderr)
        sys.exit(1)
