"""Improved precision and recall: does a model draw what the reference set shows, and all of it?

Precision is the share of samples that lie within the reference set's manifold, recall the share of reference images
that lie within the samples' manifold. A manifold is the union of balls around a set's images, each of which reaches to
the k-th nearest other image. Both are from 0 to 1, higher is better; with few instance images a precision near 1 can
also mean copying. Both depend on the sizes of the sets, so compare only sets of equal size. The authors use 50,000
images. Each set needs more than k images; with some twenty reference images recall has steps of 0.05.

Reference: Kynkaanniemi et al. 2019, arXiv:1904.06991, with their k = 3.
"""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import ArrayLike

from anomend.measuring.neighbours import checked, inside

K = 3


class PrecisionRecall(NamedTuple):
    """Shares from 0 to 1."""

    precision: float
    recall: float


def precision_recall(samples: ArrayLike, reference: ArrayLike, k: int = K) -> PrecisionRecall:
    """Precision and recall of samples against a reference set.

    Args:
        samples: features, shape (n, d), n > k.
        reference: features, shape (m, d), m > k.
        k: the neighbour that a ball reaches to.

    Raises:
        ValueError: too few images, shapes that do not fit, or features that are not finite.
    """
    drawn, real = checked(samples, reference, k)
    precision = inside(drawn, real, k).any(axis=1).mean()
    recall = inside(real, drawn, k).any(axis=1).mean()
    return PrecisionRecall(float(precision), float(recall))
