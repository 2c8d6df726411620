"""Sampling on the embedded base: an image depends only on its own seed, and equals diffusers' own call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from numpy.typing import NDArray
from PIL import Image

from anomend.diffusion.base_models import load_pipeline
from anomend.diffusion.embeddings import encode_images
from anomend.diffusion.sampling import sample_images
from anomend.pictures.image_sets import load_image
from anomend.project.metric_files import record_cost
from tests.conftest import ROOT

SETTINGS: dict[str, Any] = {"steps": 4, "guidance_scale": 4.0, "resolution": 64, "max_sequence_length": 1}


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusion3Pipeline:
    return load_pipeline("mini", str(ROOT / "models" / "mini"), "float32")


def sample(pipeline: StableDiffusion3Pipeline, requests: list[tuple[str, int]], batch_size: int) -> NDArray[np.float64]:
    return np.stack(list(sample_images(pipeline, requests, batch_size=batch_size, **SETTINGS))).astype(float)


def test_an_image_does_not_depend_on_its_neighbours(pipeline: StableDiffusion3Pipeline) -> None:
    requests = [("lying on the grass", 1), ("standing on the beach", 2), ("lying on the grass", 3)]
    together, alone = sample(pipeline, requests, 3), sample(pipeline, requests[::-1], 1)[::-1]
    assert np.abs(together - alone).max() <= 1


def test_the_image_is_the_one_that_diffusers_own_call_gives(pipeline: StableDiffusion3Pipeline) -> None:
    ours = sample(pipeline, [("sitting on the street", 11)], 1)[0]
    theirs = pipeline(
        "sitting on the street",
        height=64,
        width=64,
        num_inference_steps=4,
        guidance_scale=4.0,
        max_sequence_length=1,
        generator=torch.Generator().manual_seed(11),
    ).images[0]
    assert np.abs(ours - np.asarray(theirs, dtype=float)).max() <= 1


def test_a_drawn_image_and_the_same_image_from_its_file_are_encoded_to_the_same_bits(
    pipeline: StableDiffusion3Pipeline, tmp_path: Path
) -> None:
    drawn = list(sample_images(pipeline, [("lying on the grass", seed) for seed in (1, 2)], batch_size=2, **SETTINGS))
    for number, image in enumerate(drawn):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    stored = [load_image(tmp_path / f"{number}.png") for number in range(2)]
    np.testing.assert_array_equal(drawn, stored)
    for ours, theirs in zip(encode_images(pipeline, drawn, 2), encode_images(pipeline, stored, 2), strict=True):
        assert torch.equal(ours, theirs)


def test_its_model_evaluations_are_recorded(
    pipeline: StableDiffusion3Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with record_cost("sample_base"):
        sample(pipeline, [("lying on the grass", 1), ("lying on the beach", 2), ("lying on the snow", 3)], 2)
    work = json.loads((tmp_path / "metrics" / "resources" / "sample_base.json").read_text())["work"]
    # Three images of four steps, each of the prompt and of the empty prompt.
    assert work["sampling"]["amount"] == 3 * 4 * 2 and set(work) == {"sampling"}


def test_another_seed_gives_another_image(pipeline: StableDiffusion3Pipeline) -> None:
    one, other = sample(pipeline, [("lying on the beach", 1), ("lying on the beach", 2)], 2)
    assert np.abs(one - other).mean() > 5


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_an_image_that_is_not_finite_is_named_and_not_made_white_or_black(
    pipeline: StableDiffusion3Pipeline, value: float
) -> None:
    bias = pipeline.vae.decoder.conv_out.bias.data
    right = bias[0].clone()
    bias[0] = value
    try:
        with pytest.raises(ValueError, match="the image of 'lying on the grass' at seed 1 is not finite"):
            sample(pipeline, [("lying on the grass", 1), ("standing on the beach", 2)], 2)
    finally:
        bias[0] = right
    assert not pipeline.vae.decoder._forward_hooks


def test_an_absent_folder_and_an_unknown_base_are_named() -> None:
    with pytest.raises(ValueError, match=r"no model_index\.json"):
        load_pipeline("mini", "nowhere", "float32")
    with pytest.raises(ValueError, match="'sd9' is not a supported base"):
        load_pipeline("sd9", None, "float32")


def test_a_base_on_the_hub_is_one_sentence_where_the_hub_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"connect, or set base\.local_folder"):
        load_pipeline("sd3-medium", None, "float32")
