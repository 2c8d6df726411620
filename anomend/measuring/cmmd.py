"""CMMD: squared maximum mean discrepancy of CLIP embeddings under a Gaussian kernel.

    k(x, y) = exp(-|x - y|^2 / (2 sigma^2)), sigma = 10, x and y scaled to length 1; CMMD is 1000 MMD^2

Around 0 for sets of one distribution, also below 0, lower is closer. This is the unbiased estimator (the U-statistic of
Gretton's equation 3), as in equation 4 of the CMMD paper. The authors' code computes the biased one (the V-statistic
with the diagonals), which is larger by some 1000 (1 - mean k) (1/n + 1/m): at a few dozen images that is as much as the
CMMD itself. Two images per set are needed, and some tens for a useful value. Published values use CLIP ViT-L/14 at 336
pixels; others are not comparable.

References: Jayasumana et al. 2024, arXiv:2401.09603; Gretton et al. 2012, JMLR 13:723.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from anomend.measuring.kernel_distance import kernel_distance
from anomend.measuring.kernels import gaussian_kernel
from anomend.measuring.vectors import directions

SIGMA = 10.0
SCALE = 1000.0


def cmmd(first: ArrayLike, second: ArrayLike) -> float:
    """CMMD of two sets of embeddings, shapes (n1, d) and (n2, d), n1, n2 >= 2; their lengths do not count.

    Raises:
        ValueError: a set has fewer than two images, dimensions differ, or an embedding is zero or not finite.
    """
    return SCALE * kernel_distance(directions(first), directions(second), gaussian_kernel(SIGMA))
