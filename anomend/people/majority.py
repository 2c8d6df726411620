"""Rates by the plain majority of raters, for comparison: they know nothing of the raters' errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomend.people.answers import Answers
from anomend.statistics.dawid_skene import NOTHING, WRONG


def majority(codes: NDArray[np.int_]) -> NDArray[np.float64]:
    """Whether more raters found something wrong than nothing: 1, 0, or NaN for a tie; `unsure` has no vote.

    Args:
        codes: (n, R), -1 where a rater did not see a picture.
    """
    lead = (codes == WRONG).sum(axis=1) - (codes == NOTHING).sum(axis=1)
    return np.where(lead == 0, np.nan, lead > 0)


def majority_rates(answers: Answers, group: str) -> dict[str, float | None]:
    """Share of wrong pictures among those with a majority, of base and tuned model: `majority_base`, ..."""
    votes = majority(answers.of_design)
    rates: dict[str, float | None] = {}
    for model in ("base", "tuned"):
        chosen = (answers.pictures["group"] == group) & (answers.pictures["model"] == model)
        decided = votes[chosen.to_numpy()]
        decided = decided[~np.isnan(decided)]
        rates[f"majority_{model}"] = float(decided.mean()) if len(decided) else None
    return rates
