"""Which participants are left out of the count: those who cannot have paid attention, by rules set in advance."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from anomend.surveying.responses import with_votes


@dataclass(frozen=True, kw_only=True)
class ExclusionRules:
    """A participant who breaks one of these rules is left out with all answers."""

    max_failed_catches: int
    """Number of catch pairs that may be failed: answered for the damaged image, or with 'not sure'."""
    min_median_ms: float
    """Milliseconds; a median reaction time below this is too fast to have seen the images."""


def excluded_participants(responses: pd.DataFrame, rules: ExclusionRules) -> pd.DataFrame:
    """The participants who break a rule.

    A participant without catch pairs, or without reaction times, cannot break the rule about them.

    Args:
        responses: the columns of `responses.COLUMNS`.

    Returns:
        Index `participant`, one row for each who breaks a rule; columns catch and speed, true if that rule is broken.

    Raises:
        ValueError: the responses do not match their schema.
    """
    answers = with_votes(responses)
    people = answers.groupby("participant")
    failed = (answers["kind"].eq("catch") & answers["vote"].ne("tuned")).groupby(answers["participant"]).sum()
    table = pd.DataFrame(
        {
            "catch": failed > rules.max_failed_catches,
            "speed": people["reaction_ms"].median() < rules.min_median_ms,
        }
    )
    return table[table.any(axis=1)]
