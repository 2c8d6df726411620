"""CMMD: squared maximum mean discrepancy of CLIP embeddings under a Gaussian kernel.

    k(x, y) = exp(-|x - y|^2 / (2 sigma^2)), sigma = 10, x and y scaled to length 1; the figure is 1000 MMD^2

From 0 up in expectation, lower is closer. Two estimators: `biased` (the V-statistic with the diagonals, never below
0), which the authors' code computes, and `unbiased` (the U-statistic of Gretton's equation 3, around 0 and also below
it for sets of one distribution), which their paper's equation 4 writes. They differ by some 1000 (1 - mean k)
(1/n + 1/m), which at a few dozen images is as large as the figure: this project reports the unbiased one. Two images a
set are the least, some tens give a useful figure. Published figures use CLIP ViT-L/14 at 336 pixels; others do not
compare.

References: Jayasumana et al. 2024, arXiv:2401.09603; Gretton et al. 2012, JMLR 13:723.
"""

from __future__ import annotations

from typing import Literal

from numpy.typing import ArrayLike

from anomend.measuring.kernel_distance import kernel_distance
from anomend.measuring.kernels import gaussian_kernel, kernel_sum
from anomend.measuring.vectors import directions

SIGMA = 10.0
SCALE = 1000.0


def cmmd(
    first: ArrayLike, second: ArrayLike, estimator: Literal["unbiased", "biased"] = "unbiased", sigma: float = SIGMA
) -> float:
    """CMMD of two sets of embeddings, shapes (n1, d) and (n2, d), n1, n2 >= 2; their lengths do not count.

    Raises:
        ValueError: a set has fewer than two images, dimensions differ, or an embedding is zero or not finite.
    """
    one, two, kernel = directions(first), directions(second), gaussian_kernel(sigma)
    if estimator == "unbiased":
        return SCALE * kernel_distance(one, two, kernel)
    if min(len(one), len(two)) < 2:
        raise ValueError(f"CMMD needs two images or more a set, got {len(one)} and {len(two)}")
    within, across = (kernel_sum(x, x, kernel) / len(x) ** 2 for x in (one, two)), kernel_sum(one, two, kernel)
    return SCALE * (sum(within) - 2 * across / (len(one) * len(two)))
