"""Store the result files that participants saved: `python -m commands.survey_import FILE...`."""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Sequence
from pathlib import Path

from anomend.params.resolved import load_params
from anomend.project.paths import SURVEY_KEY
from anomend.surveying.key import read_key
from anomend.surveying.submissions import SubmissionError, parse_submission, size_limit, store_submission


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="survey_import", description="Store result files of the survey.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="answers-<code>.json from a participant")
    files: list[Path] = parser.parse_args(arguments).files
    key, results = read_key(SURVEY_KEY), Path(load_params().survey.responses)
    problems = []
    for path in files:
        try:
            with path.open("rb") as file:
                # An editor may have put a byte order mark first.
                body = file.read(size_limit(key) + 1).removeprefix(codecs.BOM_UTF8)
            print(f"{path}: stored as {store_submission(parse_submission(body, key), key, results)}")
        except SubmissionError as error:
            problems.append(f"{path} is not stored: {error}")
        except OSError as error:
            problems.append(f"{path} is not stored: it cannot be read or its answers cannot be written ({error})")
    if problems:
        raise ValueError("\n".join(problems))


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"survey_import: {error}", file=sys.stderr)
        sys.exit(1)
