"""SSIM: structural similarity of two images, and how alike the images of one set are.

Range -1 to 1, 1 for identical images. As a mean over the pairs WITHIN one set (the paper's "Average SSIM") it is low
diversity that scores high, so it is neither quality nor fidelity: compare it with the instance images' own figure,
closer is better. Two images are the least it means anything for; below some ten it is a mean of a handful of pairs.

Reference: Wang et al. 2004, doi:10.1109/TIP.2003.819861, with the defaults of scikit-image's `structural_similarity`
(7 x 7 uniform window, sample covariance, K1 = .01, K2 = .03, borders cropped) on 8-bit greyscale, data_range 255.
scikit-image filters five maps a pair; here each image's own moments are computed once, and a pair needs one map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter
from tqdm import tqdm

from stages.measures.statistics import within_set_mean

WINDOW = 7
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SAMPLE = WINDOW**2 / (WINDOW**2 - 1)
_BATCH_PIXELS = 2_000_000

Floats = NDArray[np.float64]


def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """8-bit greyscale, shape (H, W), by Pillow's `L` (ITU-R 601 luma, rounded), from RGB (H, W, 3) or grey (H, W)."""
    return np.asarray(Image.fromarray(image).convert("L"))


def ssim_matrix(images: Sequence[NDArray[np.uint8]], *, progress: bool = False) -> Floats:
    """SSIM of every pair of images.

    Args:
        images: n images of one size, RGB (H, W, 3) or grey (H, W), uint8. Needs 24 bytes a pixel and image.
        progress: show a bar.

    Returns:
        Symmetric matrix of shape (n, n) with ones on the diagonal.

    Raises:
        ValueError: the images differ in size, or a side is below 7 pixels.
    """
    moments = _Moments(images)
    matrix = np.eye(len(images))
    for row in tqdm(range(len(images) - 1), desc="SSIM", disable=not progress):
        others = slice(row + 1, len(images))
        matrix[row, others] = matrix[others, row] = _similarities(moments, row, moments, others)
    return matrix


def ssim_cross(
    first: Sequence[NDArray[np.uint8]], second: Sequence[NDArray[np.uint8]], *, progress: bool = False
) -> Floats:
    """SSIM of every image of one set with every image of another, shape (n_first, n_second).

    Its mean tells how close generated images are to the instance images.
    """
    left, right = _Moments(first), _Moments(second)
    if left.image.shape[1:] != right.image.shape[1:]:
        raise ValueError(f"SSIM needs images of one size, got {left.image.shape[1:]} and {right.image.shape[1:]}")
    everything = slice(0, len(second))
    rows = tqdm(range(len(first)), desc="SSIM", disable=not progress)
    return np.stack([_similarities(left, row, right, everything) for row in rows])


def ssim_within(images: Sequence[NDArray[np.uint8]], *, progress: bool = False) -> float | None:
    """Mean SSIM over the unordered pairs within a set; None for fewer than two images."""
    return within_set_mean(ssim_matrix(images, progress=progress)) if len(images) > 1 else None


class _Moments:
    """Grey images with their local means and sample variances, each of shape (n, H, W)."""

    def __init__(self, images: Sequence[NDArray[np.uint8]]) -> None:
        sizes = {image.shape[:2] for image in images}
        if len(sizes) != 1 or min(next(iter(sizes))) < WINDOW:
            raise ValueError(f"SSIM needs images of one size of at least {WINDOW} pixels a side, got {sorted(sizes)}")
        self.image = np.stack([grey(image) for image in images]).astype(np.float64)
        self.mean = np.empty_like(self.image)
        self.variance = np.empty_like(self.image)
        for image, mean, variance in zip(self.image, self.mean, self.variance, strict=True):
            uniform_filter(image, WINDOW, output=mean)
            uniform_filter(image * image, WINDOW, output=variance)
            variance -= mean * mean
            variance *= _SAMPLE


def _similarities(left: _Moments, row: int, right: _Moments, others: slice) -> Floats:
    crop = (slice(None), *[slice(WINDOW // 2, side - WINDOW // 2) for side in left.image.shape[1:]])
    size = max(1, _BATCH_PIXELS // left.image[row].size)
    found = []
    for start in range(others.start, others.stop, size):
        batch = slice(start, min(start + size, others.stop))
        products = uniform_filter(left.image[row] * right.image[batch], WINDOW, axes=(1, 2))[crop]
        means = (left.mean[row] * right.mean[batch])[crop]
        squares = (left.mean[row] ** 2 + right.mean[batch] ** 2)[crop]
        variances = (left.variance[row] + right.variance[batch])[crop]
        covariance = _SAMPLE * (products - means)
        similarity = (2 * means + C1) * (2 * covariance + C2) / ((squares + C1) * (variances + C2))
        found.append(similarity.mean(axis=(1, 2)))
    return np.concatenate(found)
