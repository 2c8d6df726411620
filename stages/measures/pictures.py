"""What counts as an image for the measures that work on pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def checked(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image, if it is RGB (H, W, 3) or grey (H, W), of uint8, and has pixels.

    Transparency, palettes and 16 bits have no one meaning as 8-bit colours, so no measure guesses one.

    Raises:
        ValueError: it is none.
    """
    colours = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if not colours or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(
            f"expected an image of uint8, RGB (H, W, 3) or grey (H, W), got shape {image.shape} and dtype"
            f" {image.dtype}: convert it to 8-bit RGB first"
        )
    return image
