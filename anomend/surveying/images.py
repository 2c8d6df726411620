"""The images of a survey: blind copies whose names and files tell nothing of who drew them."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from anomend.pictures.image_sets import slug
from anomend.project.seeding import numpy_generator

Image = NDArray[np.uint8]
TILES = 4
"""A damaged image is cut into so many rows and columns of tiles."""


def digest(*images: Image) -> str:
    """SHA-256 over shapes and pixels; another encoding of the same picture has the same digest."""
    found = hashlib.sha256()
    for image in images:
        found.update(f"{image.shape}{image.dtype}".encode() + np.ascontiguousarray(image).tobytes())
    return found.hexdigest()


def blind_name(image: Image, seed: int) -> str:
    """A file name made from pixels and seed alone."""
    return hashlib.sha256(f"{seed} {digest(image)}".encode()).hexdigest()[:20] + ".png"


def pair_name(prompt: str, seed: int, base: Image, tuned: Image) -> str:
    """Name of a pair in the responses: prompt, seed, and the very images, so that votes on others are told apart."""
    return f"{slug(prompt)}-{seed}-{digest(base, tuned)[:12]}"


def damaged(image: Image, seed: int) -> Image:
    """The image cut into 4 x 4 tiles, none of which is left in its place: anybody who looks prefers the whole one.

    Args:
        image: RGB, shape (H, W, 3), with sides of 4 pixels or more; at the right and lower edge up to 3 stay as they
            are.

    Returns:
        An image of the same shape.
    """
    height, width = image.shape[0] // TILES, image.shape[1] // TILES
    places = [(row * height, column * width) for row in range(TILES) for column in range(TILES)]
    order = numpy_generator(seed, "damaged", digest(image)).permutation(len(places))
    result = image.copy()
    # Every tile goes to the place of the next one in a random circle.
    for source, target in zip(order, np.roll(order, 1), strict=True):
        (top, left), (to_top, to_left) = places[source], places[target]
        result[to_top : to_top + height, to_left : to_left + width] = image[top : top + height, left : left + width]
    return result
