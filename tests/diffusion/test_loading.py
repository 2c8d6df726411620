"""Loading a base in the precision that the parameters ask for, and a decoder that decodes in float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anomend.diffusion import loading
from anomend.diffusion.base_models import load_pipeline
from anomend.diffusion.loading import load_denoiser_parts, load_for_sampling, load_for_texts, prepare_decoder
from anomend.diffusion.recipes import sampling_recipe
from anomend.diffusion.sampling import load_sampler, sample_images
from anomend.params.diffusion import BaseModelParams
from anomend.params.profiles import merge, read_profile, validated
from studies.rehearsal.random_base import SHRUNK, write_random_base
from tests.conftest import ROOT

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
SETTINGS: dict[str, Any] = {"steps": 2, "guidance_scale": 4.0, "resolution": 64, "max_sequence_length": 77}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    write_random_base(folder, SHRUNK, seed=0)
    return folder


def base_of(folder: Path | None, **changes: Any) -> BaseModelParams:
    settings = {"name": "rehearsal", "local_folder": str(folder), "resolution": 64, "max_sequence_length": 77}
    return BaseModelParams(**{**settings, "device": "cpu", "dtype": "bfloat16", **changes})


def test_the_decoder_works_in_float32_whatever_the_base_does(folder: Path) -> None:
    pipeline = load_for_sampling(base_of(folder))
    assert (pipeline.transformer.dtype, pipeline.vae.dtype) == (torch.bfloat16, torch.float32)
    latents = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    reference = load_pipeline("rehearsal", str(folder), "float32").vae
    with torch.no_grad():
        torch.testing.assert_close(pipeline.vae.decode(latents).sample, reference.decode(latents.float()).sample)


def test_bfloat16_would_move_grey_levels_of_the_miniature() -> None:
    images = {}
    for dtype in (torch.float32, torch.bfloat16):
        pipeline = load_pipeline("mini", str(ROOT / "models/mini"), "float32")
        generator = torch.Generator().manual_seed(3)
        latents = torch.randn(1, 8, 16, 16, generator=generator) / pipeline.vae.config.scaling_factor
        with torch.no_grad():
            decoded = pipeline.vae.to(dtype).decode(latents.to(dtype)).sample
        images[dtype] = ((decoded.float() / 2 + 0.5).clamp(0, 1) * 255).round()
    moved = (images[torch.float32] - images[torch.bfloat16]).abs()
    assert (moved >= 1).float().mean() > 0.1


def test_large_images_are_decoded_one_by_one(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    pipeline = load_for_sampling(base_of(folder, resolution=1024))
    sizes: list[int] = []
    pipeline.vae.decoder.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    with torch.no_grad():
        pipeline.vae.decode(torch.zeros(4, 16, 8, 8))
    assert sizes == [1, 1, 1, 1]
    small = load_for_sampling(base_of(folder))
    assert not small.vae.use_slicing and not small.vae.use_tiling


def test_the_miniature_gives_the_same_images_as_diffusers_pipeline() -> None:
    base = base_of(None, name="mini", local_folder=str(ROOT / "models/mini"), dtype="float32", max_sequence_length=1)
    settings = {**SETTINGS, "max_sequence_length": 1, "batch_size": 3}
    requests = [("lying on the grass", seed) for seed in range(3)]
    pipeline, texts = load_sampler(base, ["lying on the grass"])
    ours = np.stack(list(sample_images(pipeline, requests, texts=texts, **settings)))
    theirs = np.stack(list(sample_images(load_pipeline("mini", base.local_folder, "float32"), requests, **settings)))
    # To a grey level: texts are encoded in batches of other sizes, which some processors round otherwise.
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@no_gpu
@pytest.mark.parametrize(
    ("load", "changes", "setting"),
    [
        (load_for_sampling, {"quantise": "nf4"}, "base.quantise = 'nf4'"),
        (load_for_texts, {"t5_8bit": True}, "base.t5_8bit = true"),
        (lambda base: load_for_texts(base, t5_8bit=True), {"t5_8bit": True}, "base.t5_8bit = true"),
        (lambda base: load_for_texts(base, t5_8bit=True), {}, "encode.t5_8bit = true"),
        (lambda base: load_denoiser_parts(base, train_bits="int8"), {}, "train.quantise_base = 'int8'"),
        (lambda base: load_sampler(base, ["a prompt"]), {"quantise": "int8"}, "base.quantise = 'int8'"),
        (lambda base: load_sampler(base, ["a prompt"]), {"t5_8bit": True}, "base.t5_8bit = true"),
    ],
)
def test_fewer_bits_are_obeyed_or_refused_wherever_a_base_is_loaded(
    folder: Path, load: Any, changes: dict[str, Any], setting: str
) -> None:
    with pytest.raises(ValueError, match=f"{setting} needs a CUDA GPU"):
        load(base_of(folder, **changes))


def test_quantised_parts_take_the_place_of_the_bases_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = load_pipeline("rehearsal", str(folder), "bfloat16")
    asked: list[tuple[str, str]] = []

    def stand_in(base: BaseModelParams, *, bits: str, setting: str) -> Any:
        asked.append((bits, setting))
        return full.transformer

    monkeypatch.setattr(loading, "quantised_transformer", stand_in)
    monkeypatch.setattr(loading, "eight_bit_text_encoder", lambda *_: full.text_encoder_3)
    base = base_of(folder, quantise="nf4", t5_8bit=True)
    assert load_for_sampling(base).transformer is full.transformer
    assert load_denoiser_parts(base, vae=False, train_bits="int8").vae is None
    assert asked == [("nf4", "base.quantise"), ("int8", "train.quantise_base")]
    assert load_for_texts(base).text_encoder_3 is full.text_encoder_3


@pytest.mark.parametrize("changes", [{"quantise": "nf4"}, {"t5_8bit": True}])
def test_images_of_fewer_bits_are_stored_as_others(folder: Path, changes: dict[str, Any]) -> None:
    sample = validated({"profile": "x"} | read_profile("mini", ROOT / "profiles")).sample
    recipes = [sampling_recipe(base_of(folder, **each), sample, code="code") for each in ({}, changes)]
    assert recipes[0] != recipes[1]


def test_one_compiled_graph_does_not_hold_a_quantised_base() -> None:
    values = merge(read_profile("sd35-large", ROOT / "profiles"), {"profile": "x", "train": {"compile": "whole"}})
    values = merge(values, {"train": {"gradient_checkpointing": False}})
    with pytest.raises(ValueError, match=r"train\.compile = 'whole' cannot be combined with base\.quantise"):
        validated(values)


def test_a_decoder_is_prepared_in_place(folder: Path) -> None:
    pipeline = load_pipeline("rehearsal", str(folder), "bfloat16")
    prepare_decoder(pipeline, 512)
    assert pipeline.vae.use_slicing and pipeline.vae.use_tiling
