"""Answers on disk: JSONL, one answer per line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from anomend.judging.protocol import JudgeAnswer

Kept = TypeVar("Kept", bound=BaseModel)


def write_answers(path: Path, answers: Iterable[Kept]) -> list[Kept]:
    """Write answers as they come, one per line, and return them; an interrupted run leaves the lines written so far."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    with path.open("w", encoding="utf-8") as file:
        for answer in answers:
            file.write(answer.model_dump_json() + "\n")
            file.flush()
            written.append(answer)
    return written


def read_answers(path: Path) -> list[JudgeAnswer]:
    """Read answers.

    Raises:
        ValueError: the file is missing, or a line is not an answer.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing: run the judge stage")
    answers = []
    # Not splitlines(): a raw reply may hold other line separators, for example U+2028.
    for number, line in enumerate(path.read_text(encoding="utf-8").rstrip("\n").split("\n"), start=1):
        try:
            answers.append(JudgeAnswer.model_validate_json(line))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, problem["loc"])) or "the line"
            message = f"{path}:{number} is not an answer ({where}: {problem['msg']}): remove the line"
            raise ValueError(message) from error
    return answers
