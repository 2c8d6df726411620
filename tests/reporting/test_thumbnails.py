"""Images as they are embedded in the page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.pairs import AssessedImage, ImagePair, first_pairs
from anomend.reporting.thumbnails import still_uri, thumbnails


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))


def test_small_images_are_the_images_themselves(inputs: ReportInputs) -> None:
    pair = first_pairs(inputs.pairs, 1)[0]
    shown = np.asarray(decoded(thumbnails([pair])[0][0]))
    original = np.asarray(Image.open(pair.base.path))
    np.testing.assert_array_equal(shown, original)


def test_large_images_become_thumbnails_that_keep_to_the_budget(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "noise.png"
    Image.fromarray(rng.integers(256, size=(768, 1152, 3), dtype=np.uint8)).save(path)
    image = AssessedImage(path, ())
    pair = ImagePair(prompt="a prompt", group="target", seed=0, base=image, tuned=image)
    roomy, tight = thumbnails([pair]), thumbnails([pair] * 3, budget=120_000)
    assert decoded(roomy[0][0]).size == (512, 341)
    assert decoded(tight[0][0]).width < 512
    assert sum(len(uri) for both in tight for uri in both) <= 120_000


def test_a_still_is_the_image_itself() -> None:
    image = np.random.default_rng(1).integers(256, size=(64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(decoded(still_uri(image)).convert("RGB"))[::3, ::3], image)
