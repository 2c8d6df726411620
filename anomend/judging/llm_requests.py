"""What is sent to an LLM: a question with its images, and what its answer may cost.

A request's key holds the SHA-256 of the images' pixels and the size at which they are sent, so that a stored answer is
found without encoding a picture. Images are read and encoded when a request is sent.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomend.project.files import sha256_of
from anomend.purchasing.prices import Price

TEXT_TOKENS = 1100
"""Rough tokens of instructions, question and schema, for the estimate only."""
PIXELS_PER_TOKEN = 700
"""Rough pixels of an image per token, with either vendor; for the estimate only."""
PARTS_FACTOR = 4
"""Questions with those about body parts over those without, about; for an estimate before there are images."""
KEPT_ENCODED = 64
"""Encoded images kept in memory: an image is sent in both orders and in each repeat, soon after one another."""


def estimate_usd(price: Price, *, pixels: int, max_tokens: int, batch: bool) -> float:
    """Dollars that one answer may cost.

    Args:
        price: of the model.
        pixels: of all images together, as they are sent.
        max_tokens: of the answer at most.
        batch: by the batch API.
    """
    return price.usd(TEXT_TOKENS, pixels // PIXELS_PER_TOKEN, max_tokens, batch=batch)


@dataclass(frozen=True)
class SentImage:
    """One image of a question, which is read again when it is sent."""

    label: str
    """How the question calls it, such as `Image A`."""
    sha256: str
    """Of its shape and pixels."""
    shape: tuple[int, int]
    """Height and width."""
    read: Callable[[], NDArray[np.uint8]]
    """RGB, (H, W, 3)."""

    @classmethod
    def of(cls, label: str, image: NDArray[np.uint8], read: Callable[[], NDArray[np.uint8]]) -> SentImage:
        """An image, RGB (H, W, 3), that `read` returns whenever it is called."""
        height, width = image.shape[:2]
        return cls(label, sha256_of(str(image.shape).encode() + image.tobytes()), (height, width), read)

    def labelled(self, label: str) -> SentImage:
        """The same image under another label."""
        return replace(self, label=label)

    def pixels(self, size: int) -> int:
        """Pixels at which it is sent, `size` being the longer side."""
        width, height = _scaled(self.shape, size)
        return width * height


@dataclass(frozen=True, kw_only=True)
class LlmQuestion:
    """A question with its images; nothing in it may tell which model drew what."""

    system: str
    """The instructions."""
    text: str
    schema: dict[str, Any]
    """JSON schema of the answer."""
    images: tuple[SentImage, ...]
    repeat: int
    """Number of the repeat, from 0; equal questions of different repeats are answered separately."""
    problem_of: Callable[[str], str | None]
    """Why the text of an answer cannot be used; None if it can."""

    def content(self, *, provider: str, model: str, image_size: int, max_tokens: int) -> dict[str, Any]:
        """What is sent, with images by their digests; see `PaidRequest`."""
        return {
            "provider": provider,
            "model": model,
            "system": self.system,
            "question": self.text,
            "image_labels": [image.label for image in self.images],
            "images_sha256": [image.sha256 for image in self.images],
            "image_size": image_size,
            "schema": self.schema,
            "max_tokens": max_tokens,
            "repeat": self.repeat,
        }


class Encoder:
    """Encodes images as PNGs (lossless, so that both images of a pair are equally sharp), and keeps the latest.

    Args:
        size: longer side at which they are sent, pixels.
    """

    def __init__(self, size: int) -> None:
        self._size, self._kept, self._lock = size, OrderedDict[str, bytes](), threading.Lock()

    def png(self, image: SentImage) -> bytes:
        """The image as it is sent."""
        with self._lock:
            if (kept := self._kept.get(image.sha256)) is not None:
                return kept
        scaled = Image.fromarray(image.read()).resize(_scaled(image.shape, self._size), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        scaled.save(buffer, "PNG")
        with self._lock:
            self._kept[image.sha256] = buffer.getvalue()
            if len(self._kept) > KEPT_ENCODED:
                self._kept.popitem(last=False)
        return buffer.getvalue()


class EncodedImages(Mapping[str, bytes]):
    """PNGs by the digest of their pixels, encoded when they are asked for.

    Args:
        images: the images.
        encoder: encodes them.
    """

    def __init__(self, images: tuple[SentImage, ...], encoder: Encoder) -> None:
        self._images, self._encoder = {image.sha256: image for image in images}, encoder

    def __getitem__(self, digest: str) -> bytes:
        return self._encoder.png(self._images[digest])

    def __iter__(self) -> Iterator[str]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)


def _scaled(shape: tuple[int, int], size: int) -> tuple[int, int]:
    """Width and height at a longer side of `size`."""
    height, width = shape
    scale = size / max(shape)
    return max(1, round(width * scale)), max(1, round(height * scale))
