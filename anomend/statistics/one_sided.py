"""One-sided tests of a rate and of a ratio against a limit, and their bounds; `paired_rise` tests a rise.

Each gives two p-values, one for each side: `Tails`. A figure between the limits' two sides is settled by neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_HALVINGS = 30
"""Of the range in which a bound is sought: an error of 1e-9 of the range."""


@dataclass(frozen=True)
class Tails:
    """How well the data agree with a truth on either side of a limit; both from 0 to 1."""

    beyond: float
    """p of the hypothesis that the truth is at the limit or beyond: if it is small, the truth is within the limit."""
    within: float
    """p of the hypothesis that the truth is at the limit or within: if it is small, the truth is beyond the limit."""


def rate_tails(k: int, n: int, limit: float) -> Tails:
    """Binomial tails of k in n images at a rate of `limit`.

    Where prompts have rates of their own, and each has as many images, the tails are too large rather than too small
    (Hoeffding 1956, doi:10.1214/aoms/1177728178).
    """
    from scipy.special import bdtr  # Not at the top: a stage that decides nothing need not load it.

    if limit >= 1:
        return Tails(beyond=0.0, within=1.0)
    return Tails(beyond=float(bdtr(k, n, limit)), within=1 - float(bdtr(k - 1, n, limit)) if k else 1.0)


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
