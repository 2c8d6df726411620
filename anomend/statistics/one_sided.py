"""One-sided tests of a rate, of the rise of a paired rate, and of a ratio, against a limit; and their bounds.

Each gives two p-values, one for each side: `Tails`. A figure between the limits' two sides is settled by neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_HALVINGS = 50
"""Of the range in which a bound is sought: an error of 1e-15 of the range."""


@dataclass(frozen=True)
class Tails:
    """How well the data agree with a truth on either side of a limit; both from 0 to 1."""

    beyond: float
    """p of the hypothesis that the truth is at the limit or beyond: if it is small, the truth is within the limit."""
    within: float
    """p of the hypothesis that the truth is at the limit or within: if it is small, the truth is beyond the limit."""


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


def rate_tails(k: int, n: int, limit: float) -> Tails:
    """Binomial tails of k in n images at a rate of `limit`.

    Where prompts have rates of their own, and each has as many images, the tails are too large rather than too small
    (Hoeffding 1956, doi:10.1214/aoms/1177728178).
    """
    from scipy.special import bdtr  # Not at the top: a stage that decides nothing need not load it.

    if limit >= 1:
        return Tails(beyond=0.0, within=1.0)
    return Tails(beyond=float(bdtr(k, n, limit)), within=1 - float(bdtr(k - 1, n, limit)) if k else 1.0)


def rise_tails(pairs: PairCounts, limit: float) -> Tails:
    """Tails of the rise of a paired rate, by Tango's score test with a continuity correction of one pair.

    Without the correction, and with half a pair, a test at 5% passes up to 8% and 5.8% of truths at the limit; with a
    whole pair at most 5%, for 8 to 640 pairs (`studies/operating_characteristics`). Where prompts have rates of their
    own, pooling their pairs makes the variance larger than it is, and so the tails too.

    Args:
        pairs: counts of pairs.
        limit: the rise that may not be exceeded, above -1 and below 1; below 0 for a fall that is asked for.

    Reference: Tango 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B.
    """
    n, up, down = pairs.n, pairs.only_tuned, pairs.only_base
    if n == 0:
        return Tails(beyond=1.0, within=1.0)
    excess = up - down - n * limit
    # The most likely share of pairs that only the base has, if the rise is the limit: a root of a quadratic equation.
    linear = -up - down + (2 * n - up + down) * limit
    constant = -down * limit * (1 - limit)
    root = math.sqrt(max(0.0, linear**2 - 8 * n * constant))
    share = (root - linear) / (4 * n)
    variance = n * (2 * share + limit * (1 - limit))
    if variance <= 0:
        return Tails(beyond=1.0, within=1.0)
    spread = math.sqrt(variance)
    return Tails(beyond=_normal_below((excess + 1) / spread), within=_normal_below((1 - excess) / spread))


def ratio_tails(ratio: float, *, log_error: float, freedom: float, limit: float) -> Tails:
    """Tails of a ratio that must be the limit or more, by Student's t of its logarithm.

    Args:
        ratio: the estimate, above 0.
        log_error: standard error of its logarithm, above 0.
        freedom: degrees of freedom of that error.
        limit: above 0; "beyond" is below it.
    """
    from scipy.special import stdtr

    distance = math.log(ratio / limit) / log_error
    return Tails(beyond=float(stdtr(freedom, -distance)), within=float(stdtr(freedom, distance)))


def lowest_limit(beyond: Callable[[float], float], error: float, *, low: float, high: float) -> float:
    """The one-sided upper bound: the lowest limit of which the data show that the truth is within.

    Args:
        beyond: by limit, `Tails.beyond`; it falls as the limit rises.
        error: probability that the truth is above the bound, such as .05.
        low: lowest possible value.
        high: highest possible value; the bound if the data exclude nothing below it.
    """
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) <= error else (middle, high)
    return high


def _normal_below(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2
