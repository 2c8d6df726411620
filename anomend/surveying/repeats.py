"""How consistent raters are, from pairs that they saw twice with the sides swapped."""

from __future__ import annotations

import math

import pandas as pd

from anomend.surveying.responses import with_votes


def repeated_votes(responses: pd.DataFrame) -> pd.DataFrame:
    """Real pairs that a participant decided twice.

    Returns:
        Columns participant, pair, same: 1.0 if both votes are for the same image, else 0.0. Repeats in which either
        answer is 'unsure' are left out.
    """
    answers = with_votes(responses)
    keys, columns = ["participant", "pair"], ["participant", "pair", "vote"]
    decided = answers[answers["vote"] != "unsure"]
    first, second = (decided.loc[decided["kind"] == kind, columns] for kind in ("real", "repeat"))
    both = first.merge(second, on=keys, suffixes=("_first", "_second"))
    both["same"] = (both["vote_first"] == both["vote_second"]).astype(float)
    return both[[*keys, "same"]]


def rater_noise(consistency: float) -> float:
    """The chance that a vote contradicts the rater's preference, from the share of repeats that agree.

    If every vote is flipped with chance e, independently, two votes agree with chance c = (1 - e)^2 + e^2; solved
    for the e that is at most 1/2. Agreement at or below chance (c <= 1/2) gives 1/2: the votes say nothing.
    """
    return (1 - math.sqrt(max(0.0, 2 * consistency - 1))) / 2
