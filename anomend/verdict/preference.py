"""The clause about the survey, which can be asked for: people prefer the tuned model's images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.statistics.one_sided import Tails
from anomend.verdict.clauses import Claim, percent
from anomend.verdict.evidence import number, rate

NO_SURVEY = "the survey has no answers"
LEVEL = 0.95
"""Of the survey's interval, which resamples participants and pairs as crossed."""


def preference(survey: Mapping[str, Any], limit: float, error: float, words: ModelWords = BASE_AND_TUNED) -> Claim:
    """The share of the survey's votes for the tuned image, `unsure` as half, is above `limit`.

    The tails are normal ones, with the standard error of the crossed interval's nearer end.

    Args:
        survey: content of metrics/survey.json.
        limit: from 0 to 1; one half: people prefer neither.
        words: what the two models are called.
        error: p at which the clause passes.
    """
    subject = f"The share of votes for {words.the_tuneds} image"
    value, low, high = (rate(survey, key) for key in ("win_rate_tuned", "ci_low", "ci_high"))
    if value is None or low is None or high is None:
        reason = str(survey.get("reason") or survey.get("ci_low_reason") or NO_SURVEY)
        return Claim(threshold=limit, error=error, subject=subject, remark=reason)
    z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    below, above = max(value - low, 1e-9) / z, max(high - value, 1e-9) / z

    def tails_at(bound: float) -> Tails:
        return Tails(beyond=_normal((bound - value) / below), within=_normal((value - bound) / above))

    votes, raters = (int(number(survey, key) or 0) for key in ("votes", "n"))
    return Claim(
        threshold=limit,
        error=error,
        subject=f"{subject} is {percent(value)} of {votes:,}, by {raters} raters",
        asked=f"more than {percent(limit)}",
        figure=value,
        tails=tails_at(limit),
        tails_at=tails_at,
        at_least=True,
        shown_as=percent,
        unit="raters and pairs",
    )


def _normal(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2
