"""Store what people answered: `python -m commands.survey_import [FILE...]`.

Files are those that participants of the survey or raters of pictures saved, answers-<code>.json. Without any, what the
server received is imported, as the server does when it stops.
"""

from __future__ import annotations

import argparse
import codecs
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.project.paths import LABEL_ANSWERS
from anomend.surveying.desks import Desk
from anomend.surveying.journals import import_journals
from anomend.surveying.label_answers import is_label_file, label_table
from anomend.surveying.opening import SECRET, SURVEY_ANSWERS, open_labels, open_survey
from anomend.surveying.submissions import FILE_LIMIT, SubmissionError
from anomend.surveying.survey_answers import response_table


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="survey_import", description="Store what people answered.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="answers-<code>.json; none: the journals")
    files: list[Path] = parser.parse_args(arguments).files
    params = load_params()
    if not files:
        for path in (
            *import_journals(SURVEY_ANSWERS, Path(params.survey.responses), response_table),
            *import_journals(LABEL_ANSWERS, Path(params.label.labels), label_table),
        ):
            print(f"stored as {path}")
        return
    problems = []
    for path in files:
        try:
            with path.open("rb") as file:
                # An editor may have put a byte order mark first.
                body = file.read(FILE_LIMIT).removeprefix(codecs.BOM_UTF8)
            print(f"{path}: stored as {_store(body, params)}")
        except SubmissionError as error:
            problems.append(f"{path} is not stored: {error}")
        except OSError as error:
            problems.append(f"{path} is not stored: it cannot be read or its answers cannot be written ({error})")
    if problems:
        raise ValueError("\n".join(problems))


def _store(body: bytes, params: Params) -> Path:
    """Store one file, of the survey or of labels.

    Raises:
        SubmissionError: it is refused.
    """
    desk: Desk = (
        open_labels(params.label) if is_label_file(body) else open_survey(params.survey, secret=os.environ.get(SECRET))
    )
    return desk.import_code(desk.take(body), desk.folder or Path())


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"survey_import: {error}", file=sys.stderr)
        sys.exit(1)
