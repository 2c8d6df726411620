"""Measurements of an image that need no detector, or only the region of its person."""

from __future__ import annotations

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage
from skimage.filters import sobel
from skimage.measure import blur_effect

from anomend.detectors.observation import bounds

BACKGROUND_SIDE = 256
"""The background is measured at this size (pixels), smoothed, so that grass is a surface and not many edges."""
EDGE = 0.05
"""Sobel magnitude of greys from 0 to 1 that counts as an edge there."""


def sharpness(image: NDArray[np.uint8], region: NDArray[np.bool_] | None) -> float:
    """How sharp the person is, or the whole image where there is no person, from 0 (blurred) to 1; higher is better.

    1 minus the blur effect of Crete et al. (2007): the share of the image's local variation that a further blur leaves
    in place. It is taken on the person, because a blurred background is not a fault.
    """
    grey = np.asarray(Image.fromarray(image).convert("L"), dtype=np.float64) / 255
    if region is not None:
        left, top, right, bottom = bounds(region)
        grey = grey[top:bottom, left:right]
    if min(grey.shape) < 16 or np.ptp(grey) == 0:
        return 0.0
    return 1 - float(blur_effect(grey))


def background_complexity(image: NDArray[np.uint8], region: NDArray[np.bool_] | None) -> float | None:
    """Share of edge pixels outside the person, from 0 to 1; lower is simpler. None where the person fills the image."""
    side = (BACKGROUND_SIDE, BACKGROUND_SIDE)
    small = Image.fromarray(image).convert("L").resize(side, Image.Resampling.LANCZOS)
    edges = sobel(np.asarray(small.filter(ImageFilter.GaussianBlur(2)), dtype=np.float64) / 255) > EDGE
    if region is None:
        return float(edges.mean())
    person = np.asarray(Image.fromarray(region).resize(side))
    # The person's outline is not part of the background.
    around = ~ndimage.binary_dilation(person, iterations=6)
    return float(edges[around].mean()) if around.any() else None


Hashes = tuple[imagehash.ImageHash, imagehash.ImageHash]
"""Perceptual hashes, of 64 bits each, of an image and of its mirror image."""


def perceptual_hashes(image: NDArray[np.uint8]) -> Hashes:
    """Hashes that scaling, compression, blur and small changes of light leave nearly alone."""
    picture = Image.fromarray(image)
    return imagehash.phash(picture), imagehash.phash(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def hash_distance(first: Hashes, second: Hashes) -> int:
    """Bits by which two images differ, mirrored or not, from 0 (the same) to 64; unrelated ones differ by some 30."""
    return int(min(first[0] - second[0], first[0] - second[1]))
