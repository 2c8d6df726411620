"""SSIM: structural similarity of two images, and how alike the images of one set are.

Range -1 to 1, 1 for identical images. As a mean over the pairs WITHIN one set (the paper's "Average SSIM") it is high
for low diversity, so it measures neither quality nor fidelity: compare it with the value of the instance images; closer
is better. It needs two images, and some ten for a useful mean.

Reference: Wang et al. 2004, doi:10.1109/TIP.2003.819861, with the defaults of scikit-image's `structural_similarity`
(7 x 7 uniform window, sample covariance, K1 = .01, K2 = .03, borders cropped) on 8-bit greyscale, data_range 255.
scikit-image filters five maps per pair, in float64. Here each image's moments are computed once, so that a pair needs
one map. Sums over windows are sums of integers below 2^31, which are exact in any order. Images are processed in bands
of rows that stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from anomend.measuring.pictures import checked
from anomend.statistics.within_set import within_set_mean

WINDOW = 7
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_N = WINDOW**2
_SCALED_C1, _SCALED_C2 = C1 * _N**2, C2 * _N * (_N - 1)
"""The constants, scaled for sums over a window instead of means, and N^2 times the sample covariances."""
_BAND_PIXELS = 48_000

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]


def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """8-bit greyscale, shape (H, W), by Pillow's `L` (ITU-R 601 luma, rounded), from RGB (H, W, 3) or grey (H, W).

    Raises:
        ValueError: the image is neither RGB nor grey, or not of uint8.
    """
    return np.asarray(Image.fromarray(checked(image)).convert("L"))


def ssim_matrix(images: Sequence[NDArray[np.uint8]], *, progress: bool = False) -> Floats:
    """SSIM of every pair of images.

    Args:
        images: n images of one size, RGB (H, W, 3) or grey (H, W), uint8; n >= 1. Needs one byte per pixel and image,
        and
            some 24 bytes per pixel of one band of rows and image.
        progress: show a bar.

    Returns:
        Symmetric matrix of shape (n, n) with ones on the diagonal.

    Raises:
        ValueError: there is no image, sizes differ, a side is below 7 pixels, or an image is not RGB or grey of uint8.
    """
    greys = _greys(images)
    n, height, width = greys.shape
    sums = np.zeros((n, n))
    for rows in tqdm(_bands(height, width), desc="SSIM", disable=not progress):
        band = _Band(greys[:, rows])
        for row in range(n - 1):
            sums[row, row + 1 :] += band.similarity_sums(row, band, row + 1)
    return np.asarray((sums + sums.T) / _windows(height, width) + np.eye(n))


def ssim_cross(
    first: Sequence[NDArray[np.uint8]], second: Sequence[NDArray[np.uint8]], *, progress: bool = False
) -> Floats:
    """SSIM of every image of one set with every image of another, shape (n_first, n_second).

    Its mean tells how close generated images are to the instance images. Arguments and errors as in `ssim_matrix`.
    """
    left, right = _greys(first), _greys(second)
    height, width = left.shape[1:]
    if left.shape[1:] != right.shape[1:]:
        raise ValueError(f"SSIM needs images of one size, got {left.shape[1:]} and {right.shape[1:]}")
    sums = np.zeros((len(left), len(right)))
    for rows in tqdm(_bands(height, width), desc="SSIM", disable=not progress):
        band, other = _Band(left[:, rows]), _Band(right[:, rows])
        for row in range(len(left)):
            sums[row] += band.similarity_sums(row, other, 0)
    return np.asarray(sums / _windows(height, width))


def ssim_within(images: Sequence[NDArray[np.uint8]], *, progress: bool = False) -> float | None:
    """Mean SSIM over the unordered pairs within a set; None for fewer than two images."""
    return within_set_mean(ssim_matrix(images, progress=progress)) if len(images) > 1 else None


class _Moments(NamedTuple):
    """Images, and the moments of each of their windows, stored at the window's upper left pixel."""

    image: Integers
    sum: Integers
    squares: Floats
    """sum(x)^2, with half of its constant."""
    spread: Floats
    """N sum(x^2) - sum(x)^2, with half of its constant."""

    def images(self, start: int, stop: int) -> _Moments:
        """Some of the images one after the other, in one dimension."""
        some = slice(start, stop)
        return _Moments(
            image=self.image[some].reshape(-1),
            sum=self.sum[some].reshape(-1),
            squares=self.squares[some].reshape(-1),
            spread=self.spread[some].reshape(-1),
        )

    def times(self, count: int) -> _Moments:
        """The moments repeated `count` times."""
        return _Moments(
            image=np.tile(self.image, count),
            sum=np.tile(self.sum, count),
            squares=np.tile(self.squares, count),
            spread=np.tile(self.spread, count),
        )


class _Band:
    """One band of rows of n grey images.

    Its arrays are flat, (n, h W), so that the next column is a shift by 1 and the next row one by W. At the last 6 rows
    and columns a window would continue into the next row or image: its values are never used.
    """

    def __init__(self, greys: NDArray[np.uint8]) -> None:
        count, self.height, self.width = greys.shape
        shape = count, self.height * self.width
        image = greys.astype(np.int32).reshape(shape)
        # Where there is no window, the constants keep the denominator above 0.
        squares, spread = np.full(shape, _SCALED_C1 / 2), np.full(shape, _SCALED_C2 / 2)
        self.moments = _Moments(image=image, sum=np.zeros_like(image), squares=squares, spread=spread)
        for pixels, total, image_squares, image_spread in zip(*self.moments, strict=True):
            sums = _window_sums(pixels, self.width)
            used = slice(len(sums))
            total[used] = sums
            image_squares[used] += sums * sums
            image_spread[used] += _N * _window_sums(pixels * pixels, self.width) - sums * sums

    def similarity_sums(self, image: int, other: _Band, start: int) -> Floats:
        """SSIM, summed over the band, of one of these images with each of the others from `start` on."""
        count = len(other.moments.image)
        together = max(1, min(count - start, _BAND_PIXELS // (self.height * self.width)))
        left = self.moments.images(image, image + 1).times(together)
        sums = []
        for first in range(start, count, together):
            right = other.moments.images(first, first + together)
            similarity = _similarity(left, right, self.width).reshape(-1, self.height, self.width)
            sums.append(similarity[:, : 1 - WINDOW, : 1 - WINDOW].sum(axis=(1, 2)))
        return np.concatenate(sums)


def _similarity(x: _Moments, y: _Moments, width: int) -> Floats:
    """SSIM of each window, flat; x may have more images than y."""
    similarity = np.empty(len(y.image))
    cross = _window_sums(x.image[: len(y.image)] * y.image, width)
    used = slice(len(cross))
    products = 2 * x.sum[used]
    products *= y.sum[used]
    cross *= 2 * _N
    cross -= products
    numerator = similarity[used]
    np.multiply(products + _SCALED_C1, cross + _SCALED_C2, out=numerator)
    denominator = x.squares[used] + y.squares[used]
    denominator *= x.spread[used] + y.spread[used]
    numerator /= denominator
    return similarity


def _window_sums(pixels: Integers, width: int) -> Integers:
    """Sum of the 7 x 7 window that starts at each pixel of flat rows: seven columns, then seven rows."""
    sums = pixels
    for step in (1, width):
        pairs = sums[:-step] + sums[step:]
        sevens = pairs[: -5 * step] + pairs[2 * step : -3 * step]
        sevens += pairs[4 * step : -step]
        sevens += sums[6 * step :]
        sums = sevens
    return sums


def _greys(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Greyscale of images of one size, (n, H, W)."""
    if len(images) == 0:
        raise ValueError("SSIM needs images, got none")
    greys = [grey(image) for image in images]
    sizes = {image.shape for image in greys}
    if len(sizes) != 1 or min(min(size) for size in sizes) < WINDOW:
        raise ValueError(f"SSIM needs images of one size of at least {WINDOW} pixels per side, got {sorted(sizes)}")
    return np.stack(greys)


def _windows(height: int, width: int) -> int:
    return (height - WINDOW + 1) * (width - WINDOW + 1)


def _bands(height: int, width: int) -> list[slice]:
    """Rows of pixels, in bands of some `_BAND_PIXELS` that share 6 rows: every window is in one band."""
    together = max(1, _BAND_PIXELS // width - WINDOW + 1)
    windows = height - WINDOW + 1
    return [slice(first, min(first + together, windows) + WINDOW - 1) for first in range(0, windows, together)]
