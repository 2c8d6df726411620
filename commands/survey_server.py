"""`make survey` and `make label`: serve the page that people answer, and store what they send."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.project.paths import LABEL_ANSWERS, LABEL_KEY, LABEL_PAGE, SURVEY_KEY, SURVEY_PAGE
from anomend.surveying.connections import TimedProtocol
from anomend.surveying.desks import Desk, LabelDesk, SurveyDesk, import_journals
from anomend.surveying.key import LabelKey, read_key
from anomend.surveying.server import make_app


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make survey", description="Serve the page until Ctrl+C.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 opens it to the network")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 takes a free one")
    parser.add_argument("--labels", action="store_true", help="serve the labels' page in place of the survey's")
    options = parser.parse_args(arguments)
    folder, desk = _labels(load_params()) if options.labels else _survey(load_params())
    app = make_app(LABEL_PAGE if options.labels else SURVEY_PAGE, desk)
    try:
        _serve(app, desk, folder, host=options.host, port=options.port)
    finally:
        if isinstance(desk, LabelDesk) and (imported := import_journals(desk.journals, folder)):
            print(f"{len(imported)} raters' labels are in {folder}/: commit them, then run `dvc repro`.", flush=True)


def _survey(params: Params) -> tuple[Path, Desk]:
    results = _folder(params.survey.responses, "survey.responses")
    return results, SurveyDesk(read_key(SURVEY_KEY), results)


def _labels(params: Params) -> tuple[Path, Desk]:
    return _folder(params.label.labels, "label.labels"), LabelDesk(read_key(LABEL_KEY, LabelKey), LABEL_ANSWERS)


def _folder(named: str, parameter: str) -> Path:
    if not Path(named).is_dir():
        raise ValueError(f"{parameter} = {named!r} is not a folder: make it, or fix the parameter")
    return Path(named)


def _serve(app: Starlette, desk: Desk, folder: Path, *, host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()  # Links that are followed as soon as they are printed wait instead of failing.
        except (OSError, OverflowError) as error:
            raise ValueError(f"cannot listen on {host}:{port} ({error}): choose another --host or --port") from None
        shown = f"[{host}]" if ":" in host else host
        who = "rater" if isinstance(desk, LabelDesk) else "participant"
        print(f"One link per {who} (replace 0.0.0.0 by an address that others can reach):")
        for code in desk.codes:
            print(f"  http://{shown}:{listener.getsockname()[1]}/#{code}{_state(desk, code)}")
        print(f"Answers go to {folder}/. Stop with Ctrl+C.", flush=True)
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, http=TimedProtocol)
        uvicorn.Server(config).run(sockets=[listener])


def _state(desk: Desk, code: str) -> str:
    answered, asked = desk.answered(code), desk.asked(code)
    if answered >= asked:
        return "  (has answered)"
    return f"  (has answered {answered} of {asked})" if answered else ""


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except (ValueError, OSError) as error:
        print(f"survey_server: {error}", file=sys.stderr)
        sys.exit(1)
