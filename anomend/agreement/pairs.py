"""How far people, judges and measures agree on the same pairs of images: why do LLMs and people differ?

Every rater (people together, each judge, each measure) scores each pair from 0 (base) to 1 (tuned), 1/2 for a tie. Two
raters are compared on the pairs that both scored: by Cohen's kappa over tuned, tie and base, and by Kendall's tau-b
over the scores themselves, which also depends on how decided a rater is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau

from anomend.statistics.proportions import wilson_interval
from anomend.statistics.rater_agreement import cohen_kappa
from anomend.statistics.resampling import bootstrap_counts, resampled_units, stretched_interval

CHOICES = ("base", "tie", "tuned")
KEYS = ["prompt", "seed"]
MIN_PAIRS = 5
"""With fewer pairs an interval is meaningless."""
MEASURE = "measure_"
"""Prefix of measures among raters: they score every pair, while people and judges score only some."""


def choices(scores: pd.Series) -> NDArray[np.int_]:
    """Scores as categories, numbers into CHOICES: below, at, and above 1/2."""
    return np.asarray(np.sign(scores.to_numpy(dtype=float) - 0.5), dtype=int) + 1


def confusion(first: NDArray[np.int_], second: NDArray[np.int_]) -> NDArray[np.int_]:
    """Counts of pairs, shape (3, 3): rows the first rater's choice, columns the second's."""
    table = np.zeros((len(CHOICES), len(CHOICES)), dtype=int)
    np.add.at(table, (first, second), 1)
    return table


def compare_raters(first: pd.Series, second: pd.Series, *, seed: int, resamples: int = 10_000) -> dict[str, Any]:
    """Agreement of two raters.

    Args:
        first: one rater's scores by (prompt, seed), 0 to 1.
        second: the other rater's scores.
        seed: seed of the bootstrap over pairs.
        resamples: bootstrap resamples.

    Returns:
        n: pairs that both scored; agreement: share of pairs with the same choice; kappa, ci_low, ci_high: Cohen's kappa
        and its 95% bootstrap interval, stretched for few pairs (from Wilson's interval where the raters never differ);
        rank_correlation, rank_p: Kendall's tau-b and its p. A metric that cannot be computed is None, and `reason` says
        why.
    """
    both = pd.concat([first.rename("a"), second.rename("b")], axis=1, join="inner").dropna()
    metrics: dict[str, Any] = dict.fromkeys(("agreement", "kappa", "ci_low", "ci_high", "rank_correlation", "rank_p"))
    if both.empty:
        return {"n": 0} | metrics | {"reason": "no pair was scored by both"}
    one, other = choices(both["a"]), choices(both["b"])
    kappa = float(cohen_kappa(confusion(one, other)))
    reasons = []
    metrics["agreement"] = float((one == other).mean())
    metrics["kappa"] = None if np.isnan(kappa) else kappa
    if np.isnan(kappa):
        reasons.append("no kappa: both always make the same choice")
    elif len(both) < MIN_PAIRS:
        reasons.append(f"no interval: it needs {MIN_PAIRS} pairs, there are {len(both)}")
    else:
        prompts = [str(prompt) for prompt, _ in both.index]
        interval = _kappa_interval(one, other, prompts, kappa=kappa, seed=seed, resamples=resamples)
        metrics["ci_low"], metrics["ci_high"] = interval
    tau = kendalltau(both["a"], both["b"])
    if np.isnan(tau.statistic):
        reasons.append("no rank correlation: a rater gives every pair the same score")
    else:
        metrics["rank_correlation"], metrics["rank_p"] = float(tau.statistic), float(tau.pvalue)
    return {"n": len(both)} | metrics | ({"reason": "; ".join(reasons)} if reasons else {})


def _kappa_interval(
    one: NDArray[np.int_], other: NDArray[np.int_], prompts: Sequence[str], *, kappa: float, seed: int, resamples: int
) -> tuple[float, float]:
    if (one == other).all():
        # Resamples of raters who never differ show no spread. So the shares of their choices are kept, and Wilson's
        # lower end replaces the agreement: so few pairs cannot rule it out.
        expected = ((np.bincount(one) / len(one)) ** 2).sum()
        lowest, _ = wilson_interval(len(one), len(one))
        return float((lowest - expected) / (1 - expected)), 1.0
    counts, _ = bootstrap_counts(prompts, seed=seed, resamples=resamples)
    cells = np.eye(len(CHOICES) ** 2)[one * len(CHOICES) + other]
    kappas = cohen_kappa((counts @ cells).reshape(-1, len(CHOICES), len(CHOICES)))
    # A resample in which both always choose the same has no kappa.
    low, high = stretched_interval(kappas[~np.isnan(kappas)], kappa, *resampled_units(prompts))
    return max(-1.0, low), min(1.0, high)


def agreement_metrics(
    raters: Mapping[str, pd.Series], *, seed: int, no_people: str | None = None, resamples: int = 10_000
) -> dict[str, dict[str, Any]]:
    """The content of metrics/agreement.json without provenance.

    Args:
        raters: scores by (prompt, seed) of each rater, `people` among them; raters without scores are not compared.
        seed: seed of the bootstrap over pairs.
        no_people: why people scored no pairs, or fewer than they should; None: no such reason.
        resamples: bootstrap resamples.

    Returns:
        `people` with their number of pairs, then `<first>__<second>` with `compare_raters` for every two raters.
    """
    people: dict[str, Any] = {"n": len(raters["people"])}
    present = [name for name, scores in raters.items() if len(scores)]
    return {
        "people": people | ({"reason": no_people} if no_people else {}),
        **{
            f"{first}__{second}": compare_raters(raters[first], raters[second], seed=seed, resamples=resamples)
            for first, second in combinations(present, 2)
        },
    }


def confusion_rows(raters: Mapping[str, pd.Series]) -> pd.DataFrame:
    """The confusion tables of every two raters: first, second, first_choice, second_choice, pairs."""
    rows = []
    for first, second in combinations(raters, 2):
        both = pd.concat([raters[first].rename("a"), raters[second].rename("b")], axis=1, join="inner").dropna()
        table = confusion(choices(both["a"]), choices(both["b"]))
        rows += [
            (first, second, CHOICES[row], CHOICES[column], int(table[row, column]))
            for row in range(len(CHOICES))
            for column in range(len(CHOICES))
        ]
    return pd.DataFrame(rows, columns=["first", "second", "first_choice", "second_choice", "pairs"])


def disagreements(raters: Mapping[str, pd.Series], most: int) -> pd.DataFrame:
    """The pairs on which raters differ most, of those that people or a judge scored.

    Differences between people and judges come first. A measure scores every pair, with 0 or 1, so it contradicts
    someone on most pairs, and would hide the few pairs on which people and judges contradict each other.

    Args:
        raters: scores by (prompt, seed); names of measures start with `measure_`.
        most: largest number of pairs.

    Returns:
        prompt, seed; spread: highest less lowest score; each rater's score. Ordered by the spread of people and judges,
        then by the spread of all raters, then by prompt and seed.
    """
    opinions = [name for name in raters if not name.startswith(MEASURE)]
    table = pd.DataFrame(dict(raters))
    table = table[table[opinions].notna().any(axis=1) & (table.notna().sum(axis=1) >= 2)]
    spreads = table.assign(spread=_spread(table), apart=_spread(table[opinions]))
    spreads = spreads[spreads["spread"] > 0].reset_index()
    ordered = spreads.sort_values(["apart", "spread", *KEYS], ascending=[False, False, True, True], ignore_index=True)
    return ordered[[*KEYS, "spread", *raters]].head(most)


def _spread(scores: pd.DataFrame) -> pd.Series:
    """Highest less lowest score of each pair; 0 for pairs without a score. Rounded, so that equal spreads tie."""
    return (scores.max(axis=1) - scores.min(axis=1)).fillna(0.0).round(12)
