"""The images of a survey: copies whose names and files do not tell which model drew them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from anomend.project.files import sha256_of
from anomend.project.seeding import numpy_generator
from anomend.project.slugs import slug

Image = NDArray[np.uint8]
JPEG_QUALITY = 95
"""With full colour resolution: about a third of a PNG's size, and no difference that could be seen on a hand."""
TILES = 4
"""Rows and columns of tiles into which a damaged image is cut."""


def pixel_digest(*images: Image) -> str:
    """SHA-256 over shapes and pixels; another encoding of the same picture has the same digest."""
    parts = [f"{image.shape}{image.dtype}".encode() + np.ascontiguousarray(image).tobytes() for image in images]
    return sha256_of(b"".join(parts))


def blind_name(image: Image, seed: int) -> str:
    """A file name made from pixels and seed only."""
    return sha256_of(f"{seed} {pixel_digest(image)}")[:20] + ".jpg"


def save_image(folder: Path, image: Image, seed: int) -> str:
    """Save what people see, at native size, under its blind name; returns the name."""
    name = blind_name(image, seed)
    PillowImage.fromarray(image).save(folder / name, quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return name


def pair_name(prompt: str, seed: int, *, base: Image, tuned: Image) -> str:
    """Name of a pair in the responses. It has a digest of the pixels, so that votes on other images do not count."""
    return f"{slug(prompt)}-{seed}-{pixel_digest(base, tuned)[:12]}"


def damaged(image: Image, seed: int) -> Image:
    """The image cut into 4 x 4 tiles, all of them moved. Every attentive participant prefers the whole image.

    Args:
        image: RGB, shape (H, W, 3), with sides of 4 pixels or more; up to 3 pixels at the right and lower
            edges stay as they are.

    Returns:
        An image of the same shape.
    """
    height, width = image.shape[0] // TILES, image.shape[1] // TILES
    places = [(row * height, column * width) for row in range(TILES) for column in range(TILES)]
    order = numpy_generator(seed, "damaged", pixel_digest(image)).permutation(len(places))
    result = image.copy()
    # Every tile goes to the place of the next one in a random circle.
    for source, target in zip(order, np.roll(order, 1), strict=True):
        (top, left), (to_top, to_left) = places[source], places[target]
        result[to_top : to_top + height, to_left : to_left + width] = image[top : top + height, left : left + width]
    return result
