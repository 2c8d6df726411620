"""How far raters agree with each other, and with themselves when they see a picture again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from anomend.people.answers import Answers
from anomend.statistics.crossed import crossed_interval
from anomend.statistics.dawid_skene import one_hot
from anomend.statistics.rater_agreement import krippendorff_alpha, krippendorff_interval


def agreement(answers: Answers, *, seed: int, resamples: int) -> dict[str, Any]:
    """Krippendorff's alpha over nothing, unsure and wrong, with its 95% interval.

    Returns:
        `pictures` with two answers or more, `krippendorff_alpha`, `ci_low`, `ci_high`; None with a `reason`.
    """
    counts = one_hot(answers.of_design).sum(axis=1).astype(int)
    counts = counts[counts.sum(axis=1) >= 2]
    alpha = krippendorff_alpha(counts) if len(counts) else None
    if alpha is None:
        reason = "it needs pictures with two answers or more, and answers that differ"
        return {
            "pictures": len(counts),
            "krippendorff_alpha": None,
            "ci_low": None,
            "ci_high": None,
            "reason": reason,
        }
    low, high = krippendorff_interval(counts, seed=seed, resamples=resamples)
    return {"pictures": len(counts), "krippendorff_alpha": alpha, "ci_low": low, "ci_high": high}


def repeat_consistency(labels: pd.DataFrame, *, seed: int, resamples: int) -> dict[str, Any]:
    """The share of pictures that a rater answered the same way twice; raters and pictures are drawn as crossed.

    Returns:
        `n` pictures that a rater saw twice, `consistency`, `ci_low`, `ci_high`; None with a `reason`.
    """
    keys = ["rater", "picture"]
    once, again = (labels.loc[labels["showing"] == showing, [*keys, "answer"]] for showing in (0, 1))
    both = once.merge(again, on=keys, suffixes=("_first", "_second"))
    same = (both["answer_first"] == both["answer_second"]).astype(float)
    if both.empty:
        reason = "no picture was shown twice to a rater"
        return {"n": 0, "consistency": None, "ci_low": None, "ci_high": None, "reason": reason}
    low, high = crossed_interval(same, both["rater"].tolist(), both["picture"].tolist(), seed=seed, resamples=resamples)
    return {"n": len(both), "consistency": float(np.mean(same)), "ci_low": low, "ci_high": high}
