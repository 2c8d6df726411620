"""Images as `data:` URIs, which a page holds in itself, so that it needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomend.pictures.image_sets import load_image
from anomend.pictures.sheet import fitted
from anomend.reporting.pairs import ImagePair

THUMBNAIL_SIDES = (512, 384, 320, 256, 192, 128, 64)
"""Sides in pixels; the first that keeps to the budget is used."""
STILL_SIDE = 192
BYTE_BUDGET = 3_000_000
"""Pictures of a report in base64: with the rest, the page stays below 5 MB."""


def thumbnails(pairs: Sequence[ImagePair], budget: int = BYTE_BUDGET) -> list[tuple[str, str]]:
    """The images of each pair, (base, tuned), as `data:` URIs; as large as the budget (bytes) allows.

    Images that are small already stay as they are, as PNG; larger ones are reduced, as WebP.
    """
    largest = THUMBNAIL_SIDES[0]
    sources = [load_reduced(image.path, largest) for pair in pairs for image in (pair.base, pair.tuned)]
    for side in THUMBNAIL_SIDES:
        uris = [
            _data_uri(source, exact=True) if max(source.size) <= side else _data_uri(fitted(source, side), exact=False)
            for source in sources
        ]
        if sum(len(uri) for uri in uris) <= budget:
            break
    return list(zip(uris[::2], uris[1::2], strict=True))


def picture_uri(path: Path, width: int) -> str:
    """A picture as `data:` URI of a JPEG, at most so many pixels wide."""
    image = Image.fromarray(load_image(path))
    image.thumbnail((width, 20 * width), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def still_uri(image: Path | NDArray[np.uint8], side: int = STILL_SIDE) -> str:
    """One image, a file or RGB of shape (H, W, 3), as `data:` URI of a picture with `side` pixels at most."""
    loaded = load_reduced(image, side)
    return _data_uri(fitted(loaded, side), exact=max(loaded.size) < side)


def load_reduced(image: Path | NDArray[np.uint8], largest: int) -> Image.Image:
    """An image, reduced where its longer side is above `largest` pixels."""
    loaded = Image.fromarray(load_image(image) if isinstance(image, Path) else image)
    loaded.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    return loaded


def _data_uri(image: Image.Image, exact: bool) -> str:
    """A PNG; a reduced photograph (not exact) as WebP, a tenth of the bytes."""
    buffer = io.BytesIO()
    if exact:
        image.save(buffer, "PNG", optimize=False)
    else:
        image.save(buffer, "WEBP", quality=85)
    kind = "png" if exact else "webp"
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()
