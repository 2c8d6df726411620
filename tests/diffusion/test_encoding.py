"""An image set encoded as the recipe asks: instance images with flips and crops, the base's own images as they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusion3Pipeline

from anomend.diffusion.embeddings import TextEmbeddings, encode_texts
from anomend.diffusion.encoding import encode_image_set
from anomend.diffusion.loading import load_for_images, load_for_texts
from anomend.params.profiles import read_profile, validated
from anomend.pictures.image_sets import ImageFolderWriter
from tests.conftest import ROOT

PARAMS = validated({"profile": "mini"} | read_profile("mini", ROOT / "profiles"))
BASE = PARAMS.base.model_copy(update={"local_folder": str(ROOT / "models" / "mini")})


@cache
def text_encoders() -> StableDiffusion3Pipeline:
    return load_for_texts(BASE)


def encode(texts: Sequence[str], **how: int) -> TextEmbeddings:
    return encode_texts(text_encoders(), texts, **how)


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusion3Pipeline:
    return load_for_images(BASE)


def image_set(folder: Path, side: int = 64) -> Path:
    writer = ImageFolderWriter(folder)
    for index, text in enumerate(("lying on the street", "lying on the grass", "lying on the street")):
        pixels = np.random.default_rng(index).integers(0, 256, (side, side, 3), dtype=np.uint8)
        writer.add(f"{index}.png", pixels, text=text)
    writer.close()
    return folder


def test_instance_images_are_augmented_and_others_are_not(pipeline: StableDiffusion3Pipeline, tmp_path: Path) -> None:
    folder, settings = image_set(tmp_path), PARAMS.encode.model_copy(update={"flip": True, "crops": 1})
    augmented, plain = (
        encode_image_set(pipeline, folder, base=BASE, encode=encode, settings=settings, augmented=choice)
        for choice in (True, False)
    )
    assert augmented.mean.shape[:2] == (3, 4) and plain.mean.shape[:2] == (3, 1)
    torch.testing.assert_close(augmented.mean[:, :1], plain.mean, atol=1e-4, rtol=1e-4)
    assert plain.captions == ["lying on the grass", "lying on the street"] and plain.caption.tolist() == [1, 0, 1]


def test_one_caption_is_for_instance_images(pipeline: StableDiffusion3Pipeline, tmp_path: Path) -> None:
    folder, settings = image_set(tmp_path), PARAMS.encode.model_copy(update={"one_caption": "lying"})
    encoded = [
        encode_image_set(pipeline, folder, base=BASE, encode=encode, settings=settings, augmented=choice)
        for choice in (True, False)
    ]
    assert encoded[0].captions == ["lying"] and len(encoded[1].captions) == 2


def test_an_image_of_another_resolution_is_named(pipeline: StableDiffusion3Pipeline, tmp_path: Path) -> None:
    folder = image_set(tmp_path, side=32)
    with pytest.raises(ValueError, match=r"0\.png is 32 x 32, and base\.resolution is 64"):
        encode_image_set(pipeline, folder, base=BASE, encode=encode, settings=PARAMS.encode, augmented=True)


def test_the_prompt_of_an_image_is_kept_beside_its_caption(pipeline: StableDiffusion3Pipeline, tmp_path: Path) -> None:
    writer = ImageFolderWriter(tmp_path)
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    writer.add("a.png", pixels, text="Anna lying on the grass", prompt="lying on the grass")
    writer.add("b.png", pixels, text="lying on the street")
    writer.close()
    settings = PARAMS.encode.model_copy(update={"one_caption": "lying"})
    encoded = encode_image_set(pipeline, tmp_path, base=BASE, encode=encode, settings=settings, augmented=True)
    assert encoded.prompts == ["lying on the grass", "lying on the street"] and encoded.captions == ["lying"]


def test_a_latent_that_is_not_finite_is_refused_with_its_picture(tmp_path: Path) -> None:
    damaged = load_for_images(BASE)
    damaged.vae.encoder.conv_in.bias.data[0] = float("nan")
    with pytest.raises(ValueError, match=r"the latent of .*0\.png is not finite .*: the base's VAE is damaged"):
        encode_image_set(damaged, image_set(tmp_path), base=BASE, encode=encode, settings=PARAMS.encode, augmented=True)


def test_an_embedding_that_is_not_finite_is_refused_with_its_text(tmp_path: Path) -> None:
    damaged = load_for_texts(BASE)
    next(damaged.text_encoder.parameters()).data.fill_(float("inf"))
    with pytest.raises(ValueError, match=r"embedding of 'lying on the grass' is not finite .*: set base\.dtype"):
        encode_image_set(
            load_for_images(BASE),
            image_set(tmp_path),
            base=BASE,
            encode=partial(encode_texts, damaged),
            settings=PARAMS.encode,
            augmented=True,
        )
