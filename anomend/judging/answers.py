"""Answers on disk: JSONL, one answer a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from anomend.judging.protocol import Answer


def write_answers(path: Path, answers: Iterable[Answer]) -> list[Answer]:
    """Write answers as they come, one a line, and return them; an interrupted run leaves the lines it has paid for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    with path.open("w", encoding="utf-8") as file:
        for answer in answers:
            file.write(answer.model_dump_json() + "\n")
            file.flush()
            written.append(answer)
    return written


def read_answers(path: Path) -> list[Answer]:
    """Read answers.

    Raises:
        ValueError: the file is missing, or a line is no answer.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing: run the judge stage")
    answers = []
    # Not splitlines(): a raw reply may hold other line separators, such as U+2028.
    for number, line in enumerate(path.read_text(encoding="utf-8").rstrip("\n").split("\n"), start=1):
        try:
            answers.append(Answer.model_validate_json(line))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, problem["loc"])) or "the line"
            raise ValueError(f"{path}:{number} is no answer ({where}: {problem['msg']}): remove the line") from error
    return answers
