"""Evidence about the mean of values that are 0 or more, which may be looked at after every value.

Values Z of 0 or more, each with the mean m whatever came before. Against "m is at most m0", a bet of a share u of what
one has multiplies it by

    1 - u + u Z / m0,

whose mean is 1 - u + u m / m0, at most 1 for m up to m0. So the product over all values, and its mean over all shares u
from 0 to 1, is an e-value (`anomend.statistics.e_values`):

    E = mean over u from 0 to 1 of the product over t of (1 - u + u Z_t / m0).

For values of 0 and 1 it is `log_e_above`, with p = m0 + u (1 - m0). The values need no upper bound. References:
Waudby-Smith & Ramdas 2024, doi:10.1093/jrsssb/qkad009 (betting); Zrnic & Candes 2024, arXiv:2403.03208 (a machine
chooses what is labelled).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

SHARES = (np.arange(200) + 0.5) / 200
"""The bets. A mean over these 200 is an e-value like that over all."""
_HALVINGS = 30


def log_e_mean(values: Sequence[float], limit: float) -> float:
    """The logarithm of the e-value of "the mean is at most `limit`": large where it is above.

    Args:
        values: 0 or more, in any order.
        limit: above 0.

    Raises:
        ValueError: a value or the limit is out of range.
    """
    if limit <= 0 or min(values, default=0.0) < 0:
        raise ValueError(f"an e-value of a mean needs a limit above 0 and values of 0 or more, got {limit}")
    different, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    logs = counts @ np.log1p(SHARES * (different[:, None] / limit - 1))
    return float(np.logaddexp.reduce(logs)) - math.log(len(SHARES))


def least_mean(values: Sequence[float], error: float) -> float:
    """The lower end of a confidence sequence of the mean: above the mean, at any number of values, with a chance of at
    most `error`.

    The e-value falls with the limit, so it has the means of which it is less than 1 / `error`.
    """
    most = -math.log(error)
    if not any(values) or log_e_mean(values, 1.0) >= most:
        return 0.0 if not any(values) else 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if log_e_mean(values, middle) >= most else (low, middle)
    return low
