"""A rater's answers: their schema, the journal in which the server keeps each one, and their import into git's folder.

The journal is a file of JSON lines per rater. A line is a whole label, unblinded, so that it can be imported also after
the pictures were drawn anew. Lines are only ever added; one that a kill cut off is taken away before the next.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anomend.labelling.records import COLUMNS, KINDS, label_csv, no_labels, place
from anomend.project.files import write_whole
from anomend.surveying.key import LabelKey
from anomend.surveying.submissions import DAY_MS, AlreadyStored, SubmissionError

SIZE_LIMIT = 8192
"""Bytes of an answer at most."""
FILE_LIMIT = 10_000_000
"""Bytes of a file with all answers at most."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Mark(_Model):
    """What is wrong at one place; shares of width and height."""

    kind: Literal[KINDS]  # type: ignore[valid-type]
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class LabelAnswer(_Model):
    """The answer about one picture."""

    trial: int = Field(ge=0)
    answer: Literal["nothing", "unsure", "wrong"]
    marks: list[Mark] = Field(max_length=50)
    milliseconds: int = Field(ge=0, le=DAY_MS)
    language: str = Field(pattern=r"^[a-z]{2}$")


class LabelSubmission(_Model):
    """What the page sends after each picture (one answer), or saves as a file (all of them)."""

    design: str = Field(pattern=r"^[0-9a-f]{16}$")
    rater: str = Field(pattern=r"^[a-z2-7]{13}$")
    answers: list[LabelAnswer] = Field(min_length=1, max_length=10_000)


def is_label_file(body: bytes) -> bool:
    """Whether a file holds answers about single pictures, and not those of a survey."""
    try:
        content = json.loads(body)
    except ValueError:
        return False
    return isinstance(content, dict) and "design" in content


def parse_answers(body: bytes, key: LabelKey) -> LabelSubmission:
    """Read answers that belong to the design.

    Raises:
        SubmissionError: they are not JSON of the schema, belong to another design, have an unknown code, are not about
            pictures in order, or have marks without anything wrong, or the reverse.
    """
    try:
        sent = LabelSubmission.model_validate_json(body)
    except ValidationError:
        raise SubmissionError("the answers do not match the schema") from None
    if sent.design != key.design:
        raise SubmissionError("the answers belong to another design")
    if sent.rater not in key.raters:
        raise SubmissionError("the code is not known")
    first = sent.answers[0].trial
    if [answer.trial for answer in sent.answers] != list(range(first, first + len(sent.answers))):
        raise SubmissionError("the answers are not in order")
    for answer in sent.answers:
        if answer.trial >= len(key.raters[sent.rater]):
            raise SubmissionError("there are not so many pictures")
        if (answer.answer == "wrong") != bool(answer.marks):
            raise SubmissionError("an answer has marks exactly where something is wrong")
        if answer.language not in key.texts:
            raise SubmissionError("the language is not one of the design's")
    return sent


def labels_of(sent: LabelSubmission, key: LabelKey) -> list[dict[str, Any]]:
    """The answers as labels, unblinded: the columns of `records.COLUMNS`, as JSON has them."""
    return [
        {
            **key.raters[sent.rater][answer.trial].model_dump(),
            "rater": sent.rater,
            "answer": answer.answer,
            "kinds": " ".join(mark.kind for mark in answer.marks),
            "places": " ".join(place(mark.x, mark.y) for mark in answer.marks),
            "milliseconds": answer.milliseconds,
            "texts": key.texts[answer.language],
        }
        for answer in sent.answers
    ]


def journal_rows(path: Path) -> list[dict[str, Any]]:
    """The labels of a journal; none where there is no file. What follows the last whole line is left out."""
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.split(b"\n") if line]


def add_to_journal(path: Path, labels: Sequence[Mapping[str, Any]]) -> None:
    """Add whole lines, and wait until they are on the disk. One process and thread at a time may do so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(dict(label)) + "\n" for label in labels).encode()
    with path.open("ab") as file:
        kept = path.read_bytes().rfind(b"\n") + 1
        if kept < file.tell():
            file.truncate(kept)
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def import_labels(rater: str, rows: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    """Write a rater's labels as `<rater>.csv`. What an earlier import wrote may be continued, and is never changed.

    Args:
        rater: the name of the file; checked as a code before.
        rows: labels as `labels_of` gives them.
        folder: the folder of labels that git keeps.

    Raises:
        AlreadyStored: other labels of this rater are there.
        ValueError: a value is not allowed.
    """
    path = folder / f"{rater}.csv"
    table = pd.DataFrame([*rows], columns=list(COLUMNS)) if rows else no_labels()
    content = label_csv(path, table)
    if path.exists():
        earlier = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        if earlier.startswith(content):
            return path
        if not content.startswith(earlier):
            raise AlreadyStored(f"{path} holds other labels of this rater: keep one of the two")
    write_whole(path, content)
    return path
