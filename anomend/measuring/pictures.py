"""Check of the images that measures and networks take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def checked(image: NDArray[np.uint8], *, grey: bool = True) -> NDArray[np.uint8]:
    """The image, if it is RGB (H, W, 3), or grey (H, W) where that is allowed, of uint8, and has pixels.

    Transparency, palettes and 16 bits can be converted to 8-bit colours in several ways, so the caller must convert.

    Raises:
        ValueError: the image is anything else.
    """
    colours = (grey and image.ndim == 2) or (image.ndim == 3 and image.shape[2] == 3)
    if not colours or image.dtype != np.uint8 or image.size == 0:
        kinds = "RGB (H, W, 3) or grey (H, W)" if grey else "RGB (H, W, 3)"
        raise ValueError(
            f"expected an image of uint8, {kinds}, got shape {image.shape} and dtype {image.dtype}: convert it to 8-bit"
            " RGB first"
        )
    return image
