"""What the pages send: its form, and what is refused. The survey's and the labels' answers build on it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

DAY_MS = 24 * 60 * 60 * 1000
SIZE_LIMIT = 8192
"""Bytes of a request at most: one answer, or a few that had to wait."""
FILE_LIMIT = 10_000_000
"""Bytes of a file with all answers at most."""
WHOLE = r"^[0-9a-f]{16}$"
"""The name of a survey or of a design of labels."""
CODE = r"^[a-z2-7]{13}$"
"""A person's code."""


class SubmissionError(ValueError):
    """What is refused; the message repeats nothing that the client sent."""


class AlreadyStored(SubmissionError):
    """Other answers of this person are already stored, and stay."""


class Strict(BaseModel):
    """Takes its own fields and types and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Answer(Strict):
    """One answer."""

    trial: int = Field(ge=0)
    """Its place among all that the person is asked, from 0."""
    language: str = Field(pattern=r"^[a-z]{2}$")
    """Of the question as the person read it."""


class Submission(Strict):
    """What the page sends after each answer (one), or saves as a file (all of them); it has no free text."""

    @property
    @abstractmethod
    def whole(self) -> str:
        """The survey or design that it belongs to."""

    @property
    @abstractmethod
    def code(self) -> str:
        """The person's."""

    @property
    @abstractmethod
    def given(self) -> list[Any]:
        """The answers."""


Sent = TypeVar("Sent", bound=Submission)


def parse_submission(body: bytes, kind: type[Sent], *, whole: str, asked: Callable[[str], int | None]) -> Sent:
    """Read answers that belong to a survey or a design.

    Args:
        body: JSON.
        kind: of the survey or of labels.
        whole: the name of the survey or design.
        asked: how much the person with a code is asked; None: nobody has this code.

    Raises:
        SubmissionError: they are not JSON of the schema, belong to something else, have an unknown code, or are not
            about pictures or pairs in order.
    """
    sent = parse(body, kind)
    if sent.whole != whole:
        raise SubmissionError("the answers belong to another survey or design")
    many = asked(sent.code)
    if many is None:
        raise SubmissionError("the code is not known")
    first = sent.given[0].trial
    if [answer.trial for answer in sent.given] != list(range(first, first + len(sent.given))):
        raise SubmissionError("the answers are not in order")
    if sent.given[-1].trial >= many:
        raise SubmissionError("there are not so many pictures or pairs")
    return sent


Body = TypeVar("Body", bound=BaseModel)


def parse(body: bytes, kind: type[Body]) -> Body:
    """Read JSON of a schema.

    Raises:
        SubmissionError: it is not.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        raise SubmissionError("what was sent does not match the schema") from None
