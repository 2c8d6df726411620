"""Density and coverage: fidelity and diversity against a reference set, by the reference set's balls alone.

Density is the mean number of reference balls that a sample lies in, divided by k: from 0 up, 1 for a set like the
reference, more if samples crowd where the reference is dense. Coverage is the share of reference images whose ball
contains a sample: 0 to 1, and about 1 - 2^-k for large sets of equal size and distribution. Higher is better for both,
unless samples copy. An outlier among few reference images has a wide ball, which raises precision but hardly density.
Each set needs more than k images; k = 5 is the authors' choice for 10,000 images.

Reference: Naeem et al. 2020, arXiv:2002.09797.
"""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import ArrayLike

from anomend.measuring.neighbours import checked, inside

K = 5


class DensityCoverage(NamedTuple):
    """Density from 0 up, coverage from 0 to 1."""

    density: float
    coverage: float


def density_coverage(samples: ArrayLike, reference: ArrayLike, k: int = K) -> DensityCoverage:
    """Density and coverage of samples against a reference set.

    Args:
        samples: features, shape (n, d), n > k.
        reference: features, shape (m, d), m > k.
        k: the neighbour that a ball reaches to.

    Raises:
        ValueError: too few images, shapes that do not fit, or features that are not finite.
    """
    drawn, real = checked(samples, reference, k)
    within = inside(drawn, real, k)
    return DensityCoverage(float(within.sum() / (k * len(drawn))), float(within.any(axis=0).mean()))
