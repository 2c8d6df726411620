"""One-sided tests of the rise of a paired rate against a limit: exact for few pairs, by Tango's score for many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomend.statistics.one_sided import Tails, lowest_limit, rate_tails

EXACT_PAIRS = 128
"""Up to this many pairs the test is exact; its work grows with the square of their number."""
_SHARES = 64
"""Values of the unknown share of pairs that only the base has, over which the exact p is maximised."""
_TIES = 9
"""Decimals of the statistic; tables that differ by rounding are ties."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairCounts:
    """Pairs of images of the same prompt and seed, by which of the two is anomalous."""

    both: int
    only_base: int
    only_tuned: int
    neither: int

    @property
    def n(self) -> int:
        """Number of pairs."""
        return self.both + self.only_base + self.only_tuned + self.neither

    @property
    def base(self) -> int:
        """Anomalous images of the base model."""
        return self.both + self.only_base

    @property
    def tuned(self) -> int:
        """Anomalous images of the tuned model."""
        return self.both + self.only_tuned

    @property
    def seen(self) -> int:
        """Pairs that were looked at: all of them."""
        return self.n

    @property
    def whole_pairs(self) -> int:
        """Pairs of perfect labels that these are worth: all of them."""
        return self.n

    @property
    def tuned_rate(self) -> float:
        """Share of anomalous images of the tuned model; NaN without pairs."""
        return self.tuned / self.n if self.n else math.nan

    def tuned_tails(self, limit: float) -> Tails:
        """Tails of the tuned model's rate at a limit."""
        return rate_tails(self.tuned, self.n, limit)

    def rise_tails(self, limit: float) -> Tails:
        """Tails of the rise at a limit."""
        return rise_tails(self, limit)

    @property
    def rise(self) -> float:
        """Tuned minus base rate, from -1 to 1; NaN without pairs."""
        return (self.only_tuned - self.only_base) / self.n if self.n else math.nan

    def __add__(self, other: PairCounts) -> PairCounts:
        """The pairs of both."""
        return PairCounts(
            self.both + other.both,
            self.only_base + other.only_base,
            self.only_tuned + other.only_tuned,
            self.neither + other.neither,
        )


def rise_tails(pairs: PairCounts, limit: float) -> Tails:
    """Tails of the rise of a paired rate.

    Up to `EXACT_PAIRS` pairs they are those of the exact unconditional test, which orders the tables by Tango's score
    and takes the largest probability over the unknown share of pairs that only the base has (Hsueh, Liu & Chen 2001,
    doi:10.1111/j.0006-341x.2001.00478.x). Beyond, they are normal tails of the score with a continuity correction of
    one pair: without it a test at 5% passes up to 8% of truths at the limit, with it at most 5%. Where prompts have
    rates of their own, pooling their pairs makes the tails too large rather than too small.

    Args:
        pairs: counts of pairs.
        limit: the rise that may not be exceeded, above -1 and below 1; below 0 for a fall that is asked for.
    """
    n, up, down = pairs.n, pairs.only_tuned, pairs.only_base
    if n == 0:
        return Tails(beyond=1.0, within=1.0)
    if n <= EXACT_PAIRS:
        beyond, within = _exact_tails(n, limit)
        return Tails(beyond=float(beyond[down, up]), within=float(within[down, up]))
    return score_tails(n, down, up, limit)


def rise_interval(pairs: PairCounts, confidence: float = 0.95) -> tuple[float, float]:
    """The rises that `rise_tails` does not exclude on either side, at (1 - confidence) / 2 each: for new seeds of these
    prompts. -1 to 1 without pairs."""
    error = (1 - confidence) / 2
    low = -lowest_limit(lambda limit: rise_tails(pairs, -limit).within, error, low=-1.0, high=1.0)
    return low, lowest_limit(lambda limit: rise_tails(pairs, limit).beyond, error, low=-1.0, high=1.0)


def score_tails(n: float, down: float, up: float, limit: float) -> Tails:
    """Normal tails of Tango's score with a continuity correction of one pair; counts need not be whole.

    Args:
        n: pairs.
        down: pairs that only the base has.
        up: pairs that only the tuned model has.
        limit: as for `rise_tails`.
    """
    excess, spread = _excess_and_spread(n, down, up, limit)
    if spread <= 0:
        return Tails(beyond=1.0, within=1.0)
    low, high = float((excess + 1) / spread), float((1 - excess) / spread)
    return Tails(beyond=_normal_below(low), within=_normal_below(high))


def _excess_and_spread(n: float, down: Any, up: Any, limit: float) -> tuple[Any, Any]:
    """Pairs beyond the limit, and their standard deviation where the rise is the limit (Tango 1998).

    Reference: doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B.
    """
    # The most likely share of pairs that only the base has, if the rise is the limit: a root of a quadratic equation.
    linear = -up - down + (2 * n - up + down) * limit
    constant = -down * limit * (1 - limit)
    share = (np.sqrt(np.maximum(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
    variance = np.maximum(0.0, n * (2 * share + limit * (1 - limit)))
    return up - down - n * limit, np.sqrt(variance)


@lru_cache(maxsize=64)
def _exact_tails(n: int, limit: float) -> tuple[Floats, Floats]:
    """`Tails` of every table of n pairs, by pairs that only the base and only the tuned model has."""
    from scipy.special import gammaln, xlogy  # Not at the top: a stage that decides nothing need not load it.

    down, up = np.nonzero(np.add.outer(range(n + 1), range(n + 1)) <= n)
    excess, spread = _excess_and_spread(n, down.astype(np.float64), up.astype(np.float64), limit)
    score = np.round(np.divide(excess, spread, out=np.zeros_like(excess), where=spread > 0), _TIES)
    # From here on in the order of the score.
    order = np.argsort(score, kind="stable")
    score, down, up = score[order], down[order], up[order]
    rest = n - down - up
    low, high = max(0.0, -limit), (1 - limit) / 2
    # Denser towards the ends, where probabilities change fastest.
    shares = low + (high - low) * (1 - np.cos(np.pi * np.linspace(0, 1, _SHARES))) / 2
    counts = np.arange(n + 1.0)
    log_factorials = gammaln(counts + 1)
    logs = log_factorials[n] - log_factorials[down] - log_factorials[up] - log_factorials[rest]
    below, above = np.zeros(len(score)), np.zeros(len(score))
    first, last = (np.searchsorted(score, score, side=side) for side in ("left", "right"))
    for share in shares:
        rise = np.maximum(0.0, share + limit)
        left = np.maximum(0.0, 1 - share - rise)
        # A logarithm per count, not per table.
        chance = np.exp(logs + xlogy(counts, share)[down] + xlogy(counts, rise)[up] + xlogy(counts, left)[rest])
        total = np.concatenate([[0.0], np.cumsum(chance)])
        below = np.maximum(below, total[last])
        above = np.maximum(above, total[-1] - total[first])
    beyond, within = np.ones((2, n + 1, n + 1))
    beyond[down, up], within[down, up] = np.minimum(below, 1), np.minimum(above, 1)
    return beyond, within


def _normal_below(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2
