"""How much the position of an image decides, whatever it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.judging.intervals import MIN_PAIRS, stretched
from anomend.judging.protocol import ORDERS
from anomend.statistics.resampling import bootstrap_counts

MAX_BIAS = 0.25
"""Largest distance of the first-position rate from 1/2 without a caution. If a share q of the answers goes by the
position alone and the others are balanced, the rate is 1/2 + q/2 (or 1/2 - q/2): beyond 3/4, more than half of the
answers say nothing about the images, and the win rate is drawn towards 1/2 by as much. Of the judges of MT-bench, GPT-4
lay within this limit and Claude v1 beyond it (Zheng et al. 2023, table 2)."""


def position_bias(decided: pd.DataFrame, seed: int, resamples: int) -> dict[str, float | None]:
    """The share of first images in each order, averaged over both, and its interval over pairs.

    The orders are averaged, not pooled. If answers of one order are missing more often, the tuned image is first more
    often than the base image, and a judge that only prefers tuned images would seem to prefer the first position.
    """
    names = ("first_position_rate", "first_ci_low", "first_ci_high")
    table = decided.assign(first=(decided["choice"] == "A").astype(float))
    counts = table.groupby(["prompt", "seed", "order"])["first"].agg(["sum", "size"]).unstack(fill_value=0)
    index = pd.MultiIndex.from_product([("sum", "size"), ORDERS])
    columns = pd.DataFrame(counts).reindex(columns=index, fill_value=0).to_numpy(dtype=float)
    if (columns.sum(axis=0)[2:] == 0).any():
        return dict.fromkeys(names)
    rate, low, high = float(_mean_of_orders(columns.sum(axis=0))), None, None
    if len(columns) >= MIN_PAIRS:
        pairs = [str(pair) for pair in range(len(columns))]
        drawn, _ = bootstrap_counts(pairs, seed=seed, resamples=resamples)
        rates = _mean_of_orders(drawn @ columns)
        # A resample without an answer in one of the orders has no rate.
        low, high = stretched(rates[~np.isnan(rates)], rate, pairs)
    return dict(zip(names, (rate, low, high), strict=True))


def _mean_of_orders(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """From first images in each of the two orders and answers in each, shape (..., 4): the mean of the two shares."""
    one, other, n_one, n_other = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # One fraction, so that a judge without a preference for a position gets exactly 1/2.
        return np.asarray((one * n_other + other * n_one) / (2 * n_one * n_other))


def position_caution(metrics: Mapping[str, Any]) -> str | None:
    """A sentence if the position decides too much to trust a win rate; None if it does not, or cannot be told.

    The rate must be beyond `MAX_BIAS`, and its interval, where there is one, must not include 1/2.

    Args:
        metrics: of a judge, as `position_bias` returns them, with `consistency`.
    """
    rate, low, high = (metrics[name] for name in ("first_position_rate", "first_ci_low", "first_ci_high"))
    if rate is None or abs(rate - 0.5) <= MAX_BIAS or (low is not None and low <= 0.5 <= high):
        return None
    side = "first" if rate > 0.5 else "second"
    consistency = metrics.get("consistency")
    both = "" if consistency is None else f", and both orders agree in {consistency:.0%} of the pairs"
    return (
        f"it names the {side} image in {max(rate, 1 - rate):.0%} of its decided answers{both}: beyond "
        f"{0.5 + MAX_BIAS:.0%} the position decides more than the images do, so do not rely on its win rate"
    )
