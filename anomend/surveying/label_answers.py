"""A rater's answers: their schema, and the labels that they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from anomend.labelling.records import COLUMNS, KINDS, label_csv, no_labels, place
from anomend.surveying.journals import Rows
from anomend.surveying.key import LabelKey
from anomend.surveying.submissions import (
    CODE,
    DAY_MS,
    WHOLE,
    Answer,
    Strict,
    Submission,
    SubmissionError,
    parse_submission,
)


class Mark(Strict):
    """What is wrong at one place; shares of width and height."""

    kind: Literal[KINDS]  # type: ignore[valid-type]
    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class LabelAnswer(Answer):
    """The answer about one picture."""

    answer: Literal["nothing", "unsure", "wrong"]
    marks: list[Mark] = Field(max_length=50)
    milliseconds: int = Field(ge=0, le=DAY_MS)


class LabelSubmission(Submission):
    """Answers of a rater."""

    design: str = Field(pattern=WHOLE)
    rater: str = Field(pattern=CODE)
    answers: list[LabelAnswer] = Field(min_length=1, max_length=10_000)

    @property
    def whole(self) -> str:
        """See `Submission`."""
        return self.design

    @property
    def code(self) -> str:
        """See `Submission`."""
        return self.rater

    @property
    def given(self) -> list[LabelAnswer]:
        """See `Submission`."""
        return self.answers


def is_label_file(body: bytes) -> bool:
    """Whether a file holds answers about single pictures, and not those of a survey."""
    try:
        content = json.loads(body)
    except ValueError:
        return False
    return isinstance(content, dict) and "design" in content


def parse_labels(body: bytes, key: LabelKey) -> LabelSubmission:
    """Read answers that belong to the design.

    Raises:
        SubmissionError: see `parse_submission`; or they have marks without anything wrong, or the reverse.
    """

    def asked(code: str) -> int | None:
        return len(key.raters[code]) if code in key.raters else None

    sent = parse_submission(body, LabelSubmission, whole=key.design, asked=asked)
    for answer in sent.answers:
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


def label_table(path: Path, rows: Rows) -> str:
    """Labels as a file of data/labels (see `journals.AsTable`).

    Raises:
        ValueError: a value is not allowed.
    """
    return label_csv(path, pd.DataFrame([*rows], columns=list(COLUMNS)) if rows else no_labels())
