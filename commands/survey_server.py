"""`make survey`: serve the survey and store what participants send."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from anomend.params.resolved import load_params
from anomend.project.paths import SURVEY_KEY, SURVEY_PAGE
from anomend.surveying.connections import TimedProtocol
from anomend.surveying.key import read_key
from anomend.surveying.server import make_app


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make survey", description="Serve the survey until Ctrl+C.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 opens it to the network")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 takes a free one")
    options = parser.parse_args(arguments)
    results = Path(load_params().survey.responses)
    if not results.is_dir():
        raise ValueError(f"survey.responses = {str(results)!r} is not a folder: make it, or fix the parameter")
    key = read_key(SURVEY_KEY)
    app = make_app(SURVEY_PAGE, key, results)
    with socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((options.host, options.port))
            listener.listen()  # Links that are followed as soon as they are printed wait instead of failing.
        except (OSError, OverflowError) as error:
            where = f"{options.host}:{options.port}"
            raise ValueError(f"cannot listen on {where} ({error}): choose another --host or --port") from None
        host = f"[{options.host}]" if ":" in options.host else options.host
        print("One link per participant (replace 0.0.0.0 by an address that others can reach):")
        for code in key.participants:
            answered = "  (has answered)" if (results / f"{code}.csv").exists() else ""
            print(f"  http://{host}:{listener.getsockname()[1]}/#{code}{answered}")
        print(f"Answers go to {results}/. Stop with Ctrl+C.", flush=True)
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, http=TimedProtocol)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except (ValueError, OSError) as error:
        print(f"survey_server: {error}", file=sys.stderr)
        sys.exit(1)
