"""Store what people answered: `python -m commands.survey_import [FILE...]`.

Files are those that participants of the survey or raters of pictures saved, answers-<code>.json. Without any, the
labels that the server received are imported, as the server does when it stops.
"""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Sequence
from pathlib import Path

from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.project.paths import LABEL_ANSWERS, LABEL_KEY, SURVEY_KEY
from anomend.surveying.desks import LabelDesk, import_journals
from anomend.surveying.key import LabelKey, read_key
from anomend.surveying.label_answers import FILE_LIMIT, import_labels, is_label_file, journal_rows, parse_answers
from anomend.surveying.submissions import SubmissionError, parse_submission, size_limit, store_submission


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="survey_import", description="Store what people answered.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="answers-<code>.json; none: the journals")
    files: list[Path] = parser.parse_args(arguments).files
    params = load_params()
    if not files:
        for path in import_journals(LABEL_ANSWERS, Path(params.label.labels)):
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
    if not is_label_file(body):
        key = read_key(SURVEY_KEY)
        if len(body) > size_limit(key):
            raise SubmissionError(f"the answers are larger than {size_limit(key)} bytes")
        return store_submission(parse_submission(body, key), key, Path(params.survey.responses))
    desk = LabelDesk(read_key(LABEL_KEY, LabelKey), LABEL_ANSWERS)
    desk.take(body)
    rater = parse_answers(body, desk.key).rater
    return import_labels(rater, journal_rows(desk.journal(rater)), Path(params.label.labels))


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"survey_import: {error}", file=sys.stderr)
        sys.exit(1)
