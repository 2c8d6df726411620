"""A participant's answers: their schema, their unblinding, and how they are stored once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anomend.project.files import write_whole
from anomend.surveying.key import SurveyKey
from anomend.surveying.responses import COLUMNS

DAY_MS = 24 * 60 * 60 * 1000


class SubmissionError(ValueError):
    """Answers that are refused; the message repeats nothing that the client sent."""


class AlreadyStored(SubmissionError):
    """Other answers of this participant are already stored, and stay."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SurveyAnswer(_Model):
    """One choice."""

    trial: int = Field(ge=0)
    choice: Literal["left", "right", "unsure"]
    reaction_ms: int = Field(ge=0, le=DAY_MS)


class Submission(_Model):
    """What the page sends, or saves as a file; it has no free text."""

    survey: str = Field(pattern=r"^[0-9a-f]{16}$")
    participant: str = Field(pattern=r"^[a-z2-7]{13}$")
    answers: list[SurveyAnswer] = Field(max_length=10_000)


def size_limit(key: SurveyKey) -> int:
    """Bytes of a submission at most: a choice takes up to 60, the rest up to 100."""
    return 1024 + 128 * max(map(len, key.participants.values()), default=0)


def parse_submission(body: bytes, key: SurveyKey) -> Submission:
    """Read a submission that belongs to the survey.

    Raises:
        SubmissionError: it is too large, is not JSON of the schema, belongs to another survey, has an unknown
            participant code, or does not answer every trial once and in order.
    """
    if len(body) > size_limit(key):
        raise SubmissionError(f"the answers are larger than {size_limit(key)} bytes")
    try:
        submission = Submission.model_validate_json(body)
    except ValidationError:
        raise SubmissionError("the answers do not match the schema") from None
    if submission.survey != key.survey:
        raise SubmissionError("the answers belong to another survey")
    if submission.participant not in key.participants:
        raise SubmissionError("the participant code is not known")
    trials = key.participants[submission.participant]
    if [answer.trial for answer in submission.answers] != list(range(len(trials))):
        raise SubmissionError(f"the answers are not one for each of the {len(trials)} pairs, in order")
    return submission


def unblind(submission: Submission, key: SurveyKey) -> pd.DataFrame:
    """The answers as responses: the columns of `responses.COLUMNS`."""
    rows = [
        {"participant": submission.participant, **trial.model_dump(), **answer.model_dump(exclude={"trial"})}
        for answer, trial in zip(submission.answers, key.participants[submission.participant], strict=True)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def store_submission(submission: Submission, key: SurveyKey, folder: Path) -> Path:
    """Write the unblinded answers to `<participant>.csv`, whole or not at all, and never over another file.

    The same answers may come twice, for example if a reply was lost; they are stored once.

    Raises:
        AlreadyStored: other answers of this participant are there.
    """
    # The name comes from the key, not from the client.
    name = next(code for code in key.participants if code == submission.participant)
    path, copy = folder / f"{name}.csv", folder / f".{name}.{os.urandom(8).hex()}"
    content = unblind(submission, key).to_csv(index=False, lineterminator="\n").encode()
    try:
        write_whole(copy, content)
        # A link, unlike a rename, fails if the name is taken, so two at once cannot both succeed.
        path.hardlink_to(copy)
    except FileExistsError:
        if path.read_bytes() != content:
            raise AlreadyStored("this participant's answers are stored already") from None
    finally:
        copy.unlink(missing_ok=True)
    return path
