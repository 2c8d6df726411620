"""Intervals of a rate: one that holds however often one looks, and one of a number of images that is fixed before."""

from __future__ import annotations

import math
from collections.abc import Callable

_HALVINGS = 50
JEFFREYS = (0.5, 0.5)


def sequence_interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a confidence sequence: at all numbers of images together, it misses the rate with a chance of at
    most 1 - `confidence`. So it may be read whenever sampling stops, for whatever reason.

    It has the rates p that a mixture of all rates does not beat by a factor of 1 / (1 - confidence):

        B(k + 1/2, n - k + 1/2) / B(1/2, 1/2) < p^k (1 - p)^(n - k) / (1 - confidence).

    References: Robbins 1970, doi:10.1214/aoms/1177696786; Howard, Ramdas, McAuliffe & Sekhon 2021,
    doi:10.1214/20-AOS1991.

    Args:
        k: anomalous images, 0 to n.
        n: images; 0 gives 0 to 1.
        confidence: above 0, below 1.
    """
    if not 0 <= k <= n:
        raise ValueError(f"an interval of a rate needs 0 <= k <= n, got {k} of {n}")
    if n == 0:
        return 0.0, 1.0
    most, mean = -math.log(1 - confidence), k / n

    def inside(rate: float) -> bool:
        return log_e_other(k, n, rate) < most

    low = 0.0 if k == 0 else _edge(inside, outer=0.0, inner=mean)
    high = 1.0 if k == n else _edge(inside, outer=1.0, inner=mean)
    return low, high


def log_e_other(k: int, n: int, rate: float) -> float:
    """The logarithm of the e-value of "the rate is `rate`": large where it is another one, higher or lower."""
    from scipy.special import betaln  # Not at the top: see `one_sided`.

    a, b = JEFFREYS
    mixture = float(betaln(a + k, b + n - k) - betaln(a, b))
    return mixture - _log_power(rate, k) - _log_power(1 - rate, n - k)


def exact_interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval of k in n images, n fixed before: it never covers less than `confidence`.

    Reference: Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404.

    Raises:
        ValueError: no images, or k outside 0 to n.
    """
    from scipy.stats import beta

    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"an interval of a rate needs 0 <= k <= n and n >= 1, got {k} of {n}")
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, k, n - k + 1)) if k else 0.0
    high = float(beta.isf(tail, k + 1, n - k)) if k < n else 1.0
    return low, high


def _log_power(share: float, count: int) -> float:
    if count == 0:
        return 0.0
    return count * math.log(share) if share > 0 else -math.inf


def _edge(inside: Callable[[float], bool], *, outer: float, inner: float) -> float:
    """The border between a rate within and one outside; the outer side of it, so that nothing is lost to rounding."""
    for _ in range(_HALVINGS):
        middle = (outer + inner) / 2
        outer, inner = (outer, middle) if inside(middle) else (middle, inner)
    return outer
