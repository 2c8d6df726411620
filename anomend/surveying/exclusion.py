"""Who is left out of the tally: participants who cannot have looked, by rules that were set beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from anomend.surveying.responses import with_votes


@dataclass(frozen=True)
class ExclusionRules:
    """A participant who breaks one of the rules is left out with all answers."""

    max_failed_catches: int
    """Catch pairs that may be failed: answered for the damaged image, or with 'not sure'."""
    min_median_ms: float
    """A median reaction time below this is too fast to have looked."""


def excluded_participants(responses: pd.DataFrame, rules: ExclusionRules) -> pd.DataFrame:
    """Which participants break which rule.

    A participant who was shown no catch pair, or whose reaction times are unknown, cannot break that rule.

    Args:
        responses: the columns of `responses.COLUMNS`.

    Returns:
        Index `participant`, one row each who breaks a rule; columns catch and speed, true for the broken ones.

    Raises:
        ValueError: the responses do not keep their schema.
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
