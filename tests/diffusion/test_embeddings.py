"""Training reads from disk what the pipeline's encoders return for each image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from anomend.diffusion.base_models import load_pipeline
from anomend.diffusion.embeddings import encode_images, load_encoded, save_encoded, views
from tests.conftest import ROOT
from tests.diffusion.tiny import encoded_set

CHOICES = {"min_crop": 0.5, "seed": 3}


def picture(side: int = 64) -> NDArray[np.uint8]:
    """Each pixel tells its place: red is the column, green the row."""
    rows, columns = np.mgrid[:side, :side] * (256 // side)
    return np.stack([columns, rows, np.full_like(rows, 9)], 2).astype(np.uint8)


def test_the_first_view_is_the_image_and_a_flip_is_its_mirror_image() -> None:
    image = picture()
    assert len(views(image, "a", flip=False, crops=0, **CHOICES)) == 1  # type: ignore[arg-type]
    first, mirrored = views(image, "a", flip=True, crops=0, **CHOICES)  # type: ignore[arg-type]
    assert np.array_equal(first, image)
    assert all(np.array_equal(mirrored[:, column], image[:, 63 - column]) for column in range(64))


def test_crops_lie_inside_the_image_keep_its_shape_and_are_keyed_on_the_sample() -> None:
    image = picture()
    shown = views(image, "a", flip=True, crops=6, **CHOICES)  # type: ignore[arg-type]
    assert len(shown) == 14 and all(view.shape == image.shape for view in shown)
    for crop in shown[1:7]:
        width = (int(crop[0, -1, 0]) - int(crop[0, 0, 0])) / 4 + 1
        height = (int(crop[-1, 0, 1]) - int(crop[0, 0, 1])) / 4 + 1
        assert abs(width - height) <= 1.5 and 30 <= width <= 65
    again = views(image, "a", flip=False, crops=6, **CHOICES)  # type: ignore[arg-type]
    other = views(image, "b", flip=False, crops=6, **CHOICES)  # type: ignore[arg-type]
    assert all(np.array_equal(one, two) for one, two in zip(shown, again, strict=False))
    assert not any(np.array_equal(one, two) for one, two in zip(again[1:], other[1:], strict=True))


def test_latents_are_the_vaes_own() -> None:
    pipeline = load_pipeline("mini", str(ROOT / "models" / "mini"), "float32")
    images = [picture(), picture()[::-1].copy(), picture()[:, ::-1].copy()]
    mean, std = encode_images(pipeline, images, 2)
    for row, image in enumerate(images):
        pixels = pipeline.image_processor.preprocess(image[None] / 255.0).float()
        with torch.no_grad():
            posterior = pipeline.vae.encode(pixels).latent_dist
        torch.testing.assert_close(mean[row], posterior.mean[0], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(std[row], posterior.std[0], atol=1e-4, rtol=1e-4)


def test_an_encoded_set_is_read_back_in_the_order_of_its_ids(tmp_path: Path) -> None:
    data = encoded_set(5, 1)
    save_encoded(tmp_path / "set.safetensors", data)
    read = load_encoded(tmp_path / "set.safetensors")
    assert (
        read.ids == data.ids
        and read.prompts == data.prompts
        and read.captions == data.captions
        and torch.equal(read.caption, data.caption)
    )
    for name in ("mean", "std"):
        assert torch.equal(getattr(read, name), getattr(data, name))
    assert read.texts.keys() == data.texts.keys()
    assert all(torch.equal(read.texts[name], values) for name, values in data.texts.items())
