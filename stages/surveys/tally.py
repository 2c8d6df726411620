"""The tally of the survey: which model people choose, how sure that is, and what the data cannot tell.

Votes are crossed: every participant judges many pairs, every pair is judged by many participants, so 100 votes are not
100 independent trials. The first figure is therefore an exact sign test over the pairs' majorities, and the interval
resamples participants and pairs at once (the pigeonhole bootstrap: Owen 2007, doi:10.1214/07-AOAS122).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.measures.statistics import sign_test, wilson_interval
from stages.seeding import numpy_generator
from stages.surveys.agreement import fleiss_kappa, krippendorff_alpha
from stages.surveys.responses import check_responses

CATEGORIES = ("tuned", "base", "unsure")
FIGURES = ("win_rate_tuned", "ci_low", "ci_high", "p_sign", "left_choice_rate", "fleiss_kappa", "krippendorff_alpha")


def tally(responses: pd.DataFrame, seed: int, resamples: int = 10_000) -> dict[str, Any]:
    """The figures of metrics/survey.json.

    Only rows of kind `real` are votes; repeats and catch pairs are no further evidence on the models.

    Args:
        responses: the columns of `responses.COLUMNS`; may have no row.
        seed: seed of the bootstrap.
        resamples: bootstrap resamples.

    Returns:
        n: participants; votes;
        win_rate_tuned: share of votes for the tuned image, 'unsure' as half; ci_low, ci_high: its 95% interval;
        p_sign: two-sided exact sign test over the pairs that have a majority;
        left_choice_rate: share of left among decided votes, 1/2 without a liking for a side;
        fleiss_kappa, krippendorff_alpha: agreement on tuned | base | unsure over the pairs;
        caution: what the data cannot tell apart, where that is so.
        A figure that cannot be computed is None, and `reason` (or `<figure>_reason`, where only some are) says why.

    Raises:
        ValueError: the responses do not keep their schema.
    """
    votes = _votes(responses)
    if votes.empty:
        reason = "no responses yet: put response files into the survey's folder"
        return {"n": 0, "votes": 0, **dict.fromkeys(FIGURES), "reason": reason}
    pairs = per_pair(responses)
    counts = pairs[list(CATEGORIES)].to_numpy()
    wins, losses = int((pairs["majority"] == "tuned").sum()), int((pairs["majority"] == "base").sum())
    decided = votes[votes["choice"] != "unsure"]
    low, high = _crossed_bootstrap(votes, seed, resamples)
    figures: dict[str, Any] = {
        "n": int(votes["participant"].nunique()),
        "votes": len(votes),
        "win_rate_tuned": float(votes["score"].mean()),
        "ci_low": low,
        "ci_high": high,
        "p_sign": sign_test(wins, losses) if wins + losses else None,
        "left_choice_rate": float((decided["choice"] == "left").mean()) if len(decided) else None,
        "fleiss_kappa": fleiss_kappa(counts),
        "krippendorff_alpha": krippendorff_alpha(counts),
    }
    why = {
        "ci_low": "an interval needs at least two participants, two pairs and votes that differ",
        "ci_high": "an interval needs at least two participants, two pairs and votes that differ",
        "p_sign": "no pair has a majority",
        "left_choice_rate": "every vote is 'unsure'",
        "fleiss_kappa": "it needs the same number of votes, two or more, on every pair and votes that differ",
        "krippendorff_alpha": "it needs a pair with two votes or more and votes that differ",
    }
    figures |= {f"{name}_reason": reason for name, reason in why.items() if figures[name] is None}
    if votes["left_model"].nunique() == 1:
        side = votes["left_model"].iloc[0]
        figures["caution"] = f"the {side} image was always on the left: side and model cannot be told apart"
    return figures


def per_pair(responses: pd.DataFrame) -> pd.DataFrame:
    """Votes of each pair.

    Returns:
        Index `pair`, sorted; columns tuned, base, unsure (votes), majority (tuned | base | "" for a tie), and ci_low,
        ci_high: the Wilson interval of the tuned image's share among decided votes, NaN where there are none.
    """
    votes = _votes(responses)
    table = votes.groupby(["pair", "vote"]).size().unstack(fill_value=0)
    table = table.reindex(columns=list(CATEGORIES), fill_value=0).sort_index()
    difference = table["tuned"] - table["base"]
    table["majority"] = np.select([difference > 0, difference < 0], ["tuned", "base"], default="")
    intervals = [
        wilson_interval(int(tuned), int(tuned + base)) if tuned + base else (float("nan"), float("nan"))
        for tuned, base in zip(table["tuned"], table["base"], strict=True)
    ]
    table["ci_low"], table["ci_high"] = [low for low, _ in intervals], [high for _, high in intervals]
    return table


def _votes(responses: pd.DataFrame) -> pd.DataFrame:
    """The real votes, with `vote` (tuned | base | unsure) and `score` (1, 0, 1/2)."""
    checked = check_responses(responses)
    votes = checked[checked["kind"] == "real"].copy()
    other = votes["left_model"].map({"tuned": "base", "base": "tuned"})
    votes["vote"] = (
        votes["left_model"].where(votes["choice"] == "left", other).mask(votes["choice"] == "unsure", "unsure")
    )
    votes["score"] = votes["vote"].map({"tuned": 1.0, "base": 0.0, "unsure": 0.5}).astype(float)
    return votes


def _crossed_bootstrap(votes: pd.DataFrame, seed: int, resamples: int) -> tuple[float, float] | tuple[None, None]:
    """95% percentile interval of the win rate; participants and pairs are both drawn with replacement."""
    sums = votes.pivot_table(index="participant", columns="pair", values="score", aggfunc="sum", fill_value=0.0)
    asked = votes.pivot_table(index="participant", columns="pair", values="score", aggfunc="count", fill_value=0)
    if min(sums.shape) < 2 or votes["score"].nunique() < 2:
        return None, None
    rng = numpy_generator(seed, "survey bootstrap")
    people, pairs = (rng.multinomial(size, np.full(size, 1 / size), resamples) for size in sums.shape)
    totals = _weighted(people, sums.to_numpy(dtype=float), pairs)
    counts = _weighted(people, asked.to_numpy(dtype=float), pairs)
    # Where a participant saw only some of the pairs, a resample can hold no vote at all; it tells nothing.
    rates = totals[counts > 0] / counts[counts > 0]
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)


def _weighted(people: NDArray[np.int64], values: NDArray[np.float64], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.einsum("rp,pq,rq->r", people.astype(float), values, pairs.astype(float), optimize=True)
