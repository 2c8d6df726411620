"""How narrow an interval of the tuned rate can be at all, where nobody knows the raters' errors.

The Cramér-Rao bound (Rao 1945) of any unbiased estimate from the answers to base and tuned pictures. Its parameters are
both rates and each rater's errors about right and about wrong pictures; with two raters these are as many as the
answers can tell (Hui & Walter 1980, doi:10.2307/2530508), and the bound is wide where the two rates are close.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STEP = 1e-6


def narrowest_width(
    base: float, tuned: float, errors: Sequence[float], per_picture: int, gold_per_pair: float = 0.0
) -> float:
    """Standard deviation of the best estimate of the tuned rate, over that of perfect labels of the same pictures.

    Args:
        base: share of wrong base pictures, between 0 and 1.
        tuned: share of wrong tuned pictures, between 0 and 1.
        errors: of each rater, about right and wrong pictures alike, above 0.
        per_picture: raters that label each picture, drawn at random.
        gold_per_pair: pictures of known class that every rater sees, half of them wrong, per pair of pictures.
    """
    # Right answers to right and to wrong pictures are parameters of their own: nobody knows that they are equal.
    truth = np.array([base, tuned, *(1 - error for error in errors for _ in range(2))])
    steps = STEP * np.eye(len(truth))
    slopes = np.array([_answers(truth + step, per_picture) - _answers(truth - step, per_picture) for step in steps])
    slopes /= 2 * STEP
    information = slopes / _answers(truth, per_picture) @ slopes.T
    rights = truth[2:]
    of_gold = gold_per_pair / 2 / (rights * (1 - rights))
    information += np.diag(np.concatenate([[0.0, 0.0], of_gold]))
    return float(np.sqrt(np.linalg.inv(information)[1, 1] / (tuned * (1 - tuned))))


def _answers(values: Floats, per_picture: int) -> Floats:
    """Probabilities of all answers, for a base and a tuned picture and every choice of raters."""
    rates, right = values[:2], values[2:].reshape(-1, 2)
    asked = list(combinations(range(len(right)), per_picture))
    found = []
    for rate, raters in product(rates, asked):
        for says in product((False, True), repeat=per_picture):
            wrong = np.array(says)
            of_right = np.where(wrong, 1 - right[list(raters), 0], right[list(raters), 0]).prod()
            of_wrong = np.where(wrong, right[list(raters), 1], 1 - right[list(raters), 1]).prod()
            found.append((rate * of_wrong + (1 - rate) * of_right) / len(asked))
    return np.array(found)
