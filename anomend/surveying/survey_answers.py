"""A participant's answers: their schema, and the responses that they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from anomend.surveying.journals import Rows
from anomend.surveying.key import KeyTrial, SurveyKey
from anomend.surveying.responses import FILE_COLUMNS, check_responses
from anomend.surveying.submissions import CODE, DAY_MS, WHOLE, Answer, Submission, SubmissionError


class SurveyAnswer(Answer):
    """One choice."""

    choice: Literal["left", "right", "unsure"]
    reaction_ms: int = Field(ge=0, le=DAY_MS)


class SurveySubmission(Submission):
    """Answers of a participant."""

    survey: str = Field(pattern=WHOLE)
    participant: str = Field(pattern=CODE)
    answers: list[SurveyAnswer] = Field(min_length=1, max_length=10_000)

    @property
    def whole(self) -> str:
        """See `Submission`."""
        return self.survey

    @property
    def code(self) -> str:
        """See `Submission`."""
        return self.participant

    @property
    def given(self) -> list[SurveyAnswer]:
        """See `Submission`."""
        return self.answers


def responses_of(
    sent: SurveySubmission, trials: Sequence[KeyTrial], key: SurveyKey, *, day: str
) -> list[dict[str, Any]]:
    """The answers as responses, unblinded: the columns of `responses.FILE_COLUMNS`, as JSON has them.

    Args:
        sent: the answers.
        trials: everything that this participant is asked.
        key: of the survey.
        day: of the answers, such as 2026-11-29.

    Raises:
        SubmissionError: a language is not one of the survey's.
    """
    if any(answer.language not in key.texts for answer in sent.answers):
        raise SubmissionError("the language is not one of the survey's")
    return [
        {
            "participant": sent.participant,
            **trials[answer.trial].model_dump(),
            "choice": answer.choice,
            "reaction_ms": answer.reaction_ms,
            "survey": key.survey,
            "texts": key.texts[answer.language],
            "consent": key.consents[answer.language],
            "date": day,
            "trial": answer.trial,
            "trials": len(trials),
        }
        for answer in sent.answers
    ]


def response_table(path: Path, rows: Rows) -> str:
    """Responses as a file of data/survey (see `journals.AsTable`).

    Raises:
        ValueError: a value is not allowed.
    """
    table = pd.DataFrame([*rows], columns=list(FILE_COLUMNS))
    try:
        check_responses(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return table.to_csv(index=False, lineterminator="\n")
