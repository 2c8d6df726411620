"""What raters who err say of each picture, corrected: values whose mean is the true share of wrong pictures.

The corrected label of a picture is a function h of the answers to it with E[h] = 1 for a wrong and E[h] = 0 for a right
picture. So the mean of corrected labels is unbiased for the share of wrong pictures in every subset, such as a prompt,
whatever that share is, and differences and products of two pictures' labels are unbiased too. Of these functions the
one with the smallest variance is taken: the score of the share in the mixture of right and wrong pictures, at the
share of the picture's cell. With one rater and two answers it is the estimator of Rogan & Gladen 1978
(doi:10.1093/oxfordjournals.aje.a112510). Two kinds of variance come on top of that of perfect labels: the noise of the
answers, and the uncertainty of the raters' errors, which all pictures share.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from anomend.project.seeding import numpy_generator
from anomend.statistics.dawid_skene import ANSWERS, RaterErrors, one_hot

Floats = NDArray[np.float64]
Ints = NDArray[np.int_]

LISTED_RATERS = 6
"""Up to this many raters of one picture all patterns of answers are listed; beyond it they are drawn."""
_DRAWN = 4_096
SHARES = (0.02, 0.98)
"""Range of the share for which the variance is smallest."""


@dataclass(frozen=True, kw_only=True)
class CorrectedLabels:
    """Corrected labels of n pictures."""

    values: Floats
    """(n,): NaN for a picture without answers."""
    noise: Floats
    """(n, 2): variance of the value of a right and of a wrong picture."""
    leverage: Floats
    """(n, 2, D): how the expected value of a right and of a wrong picture changes with the logits of the errors."""
    covariance: Floats
    """(D, D) of these logits."""


def correct_labels(answers: Ints, cells: Ints, errors: RaterErrors) -> CorrectedLabels:
    """Corrected labels by the estimated errors of their raters.

    Args:
        answers: (n, R) as for `fit_raters`.
        cells: (n,), the cell of each picture.
        errors: of the R raters.
    """
    seen = one_hot(answers)
    n, raters = answers.shape
    values = np.full(n, np.nan)
    noise, leverage = np.zeros((n, 2)), np.zeros((n, 2, raters, 2, ANSWERS - 1))
    shares = np.clip(errors.shares, *SHARES)
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, key in enumerate(np.column_stack([cells, answers >= 0]).tolist()):
        groups.setdefault(tuple(key), []).append(row)
    for (cell, *has), rows in groups.items():
        chosen = np.flatnonzero(has)
        if not len(chosen):
            continue
        chances = errors.answers[chosen]
        patterns, weights = _patterns(chances)
        right, wrong = weights
        share = shares[cell]
        scores = _score(patterns, chances, share)
        low, high = right @ scores, wrong @ scores
        h = (scores - low) / (high - low)
        values[rows] = (_score(seen[rows][:, chosen], chances, share) - low) / (high - low)
        noise[rows] = [right @ h**2, wrong @ h**2 - 1]
        for z in (0, 1):
            excess = patterns[:, :, 1:] - chances[:, z, 1:]
            for place, rater in enumerate(chosen):
                leverage[rows, z, rater, z] = -((weights[z] * h) @ excess[:, place])
    return CorrectedLabels(
        values=values, noise=noise, leverage=leverage.reshape(n, 2, -1), covariance=errors.covariance
    )


def _score(seen: Floats, chances: Floats, share: float) -> Floats:
    """(f1 - f0) / (share f1 + (1 - share) f0) of patterns (m, raters, ANSWERS)."""
    logs = np.einsum("mra,rza->mz", seen, np.log(chances))
    ratio = np.exp(np.clip(logs[:, 1] - logs[:, 0], -700, 700))
    return np.asarray((ratio - 1) / (share * ratio + 1 - share))


def _patterns(chances: Floats) -> tuple[Floats, Floats]:
    """Patterns of answers (m, raters, ANSWERS), and their probabilities in right and wrong pictures, (2, m)."""
    raters = len(chances)
    if raters <= LISTED_RATERS:
        seen = one_hot(np.array(list(product(range(ANSWERS), repeat=raters))))
        logs = np.einsum("mra,rza->zm", seen, np.log(chances))
        return seen, np.exp(logs)
    rng = numpy_generator("patterns of answers", raters)
    uniform = rng.random((2, _DRAWN, raters))
    drawn = (uniform[..., None] > np.cumsum(chances, axis=2).transpose(1, 0, 2)[:, None, :, :-1]).sum(axis=-1)
    seen = one_hot(drawn.reshape(-1, raters))
    logs = np.einsum("mra,rza->zm", seen, np.log(chances))
    weights = np.exp(logs - np.logaddexp(logs[0], logs[1]))
    return seen, weights / weights.sum(axis=1, keepdims=True)
