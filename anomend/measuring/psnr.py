"""PSNR: peak signal-to-noise ratio of two images in dB, and how alike the images of one set are.

From 0 dB up, higher for images that are alike. As a mean over the pairs WITHIN one set (the paper's "Average PSNR") it
measures low diversity in raw pixels, so compare it with the value of the instance images: closer is better. It needs
two images or more.

Two forms:

- corrected: 10 log10(255^2 / MSE), MSE in exact arithmetic over pixels and channels (Huynh-Thu & Ghanbari 2008,
  doi:10.1049/el:20080522).
- published: reproduces the paper's Table 1 to the last digit. It has two arithmetic bugs of unsigned bytes: the
  difference wraps (3 - 5 = 254), and its square wraps (16^2 = 0), so that the "error" of two unlike images is little
  more than noise. Also, it sums over three channels and divides by the number of pixels only. On the paper's images
  this reverses the order of the two models. Use it only to replicate the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.measuring.pictures import checked
from anomend.statistics.within_set import within_set_mean

_BATCH_VALUES = 500_000
"""Number of values processed at a time, so that they stay in the processor's cache."""

Floats = NDArray[np.float64]


def psnr_matrix(images: Sequence[NDArray[np.uint8]]) -> Floats:
    """PSNR of every pair of images, in dB.

    Args:
        images: n images of one shape, RGB (H, W, 3) or grey (H, W), uint8; n >= 1.

    Returns:
        Symmetric matrix of shape (n, n). Identical images, whose ratio is infinite, get the ratio of a single value
        that is one level off, so that a collapsed set still has a mean. So does the diagonal.

    Raises:
        ValueError: there is no image, they differ in shape, or one is not RGB or grey of uint8.
    """
    flat = _flat(images)
    gram = np.zeros((len(flat), len(flat)))
    step = max(1, _BATCH_VALUES // len(flat))
    for start in range(0, flat.shape[1], step):
        part = flat[:, start : start + step].astype(np.float64)
        gram += part @ part.T  # sums of integers below 2^53: exact
    squares = np.diag(gram)
    errors = squares[:, None] + squares[None, :] - 2 * gram
    return _decibels(np.maximum(errors, 1) / flat.shape[1])


def published_psnr_matrix(images: Sequence[NDArray[np.uint8]], *, progress: bool = False) -> Floats:
    """PSNR of every pair by the paper's formula, bugs included, in dB.

    Args:
        images: n RGB images of one shape (H, W, 3), uint8.
        progress: show a bar.

    Returns:
        Symmetric matrix of shape (n, n); infinite where all wrapped squares are 0, as on the diagonal.

    Raises:
        ValueError: there is no image, they differ in shape, or are not RGB.
    """
    flat = _flat(images)
    if images[0].ndim != 3:
        raise ValueError(f"the published PSNR is defined on RGB images, got shape {images[0].shape}")
    n, values = flat.shape
    sums = np.zeros((n, n), dtype=np.int64)
    columns = min(values, _BATCH_VALUES)
    rows = max(1, _BATCH_VALUES // columns)
    for row in tqdm(range(n - 1), desc="published PSNR", disable=not progress):
        for left in range(0, values, columns):
            image = flat[row, left : left + columns]
            for first in range(row + 1, n, rows):
                others = flat[first : first + rows, left : left + columns]
                difference = image - others  # bug: wraps modulo 256
                wrapped = difference * difference  # bug: wraps again
                sums[row, first : first + rows] += wrapped.sum(axis=1, dtype=np.uint32)
    pixels = values // images[0].shape[2]
    return _decibels((sums + sums.T) / pixels)


def psnr_within(images: Sequence[NDArray[np.uint8]]) -> float | None:
    """Mean corrected PSNR over the unordered pairs within a set; None for fewer than two images."""
    return within_set_mean(psnr_matrix(images)) if len(images) > 1 else None


def published_psnr_within(images: Sequence[NDArray[np.uint8]], *, progress: bool = False) -> float | None:
    """Mean published PSNR over the unordered pairs within a set; None for fewer than two images.

    As the published formula has it, the mean is infinite where two images are identical, or differ only by multiples of
    16 levels.
    """
    return within_set_mean(published_psnr_matrix(images, progress=progress)) if len(images) > 1 else None


def _flat(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    shapes = {checked(image).shape for image in images}
    if len(shapes) != 1:
        raise ValueError(f"PSNR needs images of one shape, got {sorted(shapes) or 'no image'}")
    return np.stack([image.ravel() for image in images])


def _decibels(errors: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(255**2 / errors))
