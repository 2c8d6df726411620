"""Negative prompt and skip-layer guidance: what diffusers' own call gives, and the formula by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from numpy.typing import NDArray

from anomend.diffusion.base_models import load_pipeline
from anomend.diffusion.embeddings import TextEmbeddings, encode_texts
from anomend.diffusion.guidance import guided
from anomend.diffusion.sampling import sample_images
from anomend.diffusion.skipped_layers import blocks_of, refuse_unknown_layers
from anomend.params.tuned import TunedParams
from anomend.project.metric_files import record_cost
from tests.conftest import ROOT

STEPS, SCALE, SEED = 5, 4.0, 11
PROMPT, NEGATIVE = "lying on the street", "standing on the beach"
SKIP: dict[str, Any] = {"layers": [1, 3], "scale": 2.0, "start": 0.1, "stop": 0.7}
"""Of five steps, those i with 0.5 < i < 3.5: three."""
BOTH = {"negative_prompt": NEGATIVE, "skip_layers": SKIP}
Pixels = NDArray[np.float64]


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusion3Pipeline:
    return load_pipeline("mini", str(ROOT / "models" / "mini"), "float32")


@pytest.fixture(scope="module")
def texts(pipeline: StableDiffusion3Pipeline) -> TextEmbeddings:
    return encode_texts(pipeline, [PROMPT, NEGATIVE, ""], max_sequence_length=1, batch_size=1)


def ours(pipeline: StableDiffusion3Pipeline, texts: TextEmbeddings, tuned: dict[str, Any], *seeds: int) -> Pixels:
    images = sample_images(
        guided(pipeline, texts, TunedParams(**tuned), STEPS),
        [(PROMPT, seed) for seed in seeds or (SEED,)],
        steps=STEPS,
        guidance_scale=SCALE,
        resolution=64,
        max_sequence_length=1,
        batch_size=4,
        texts=texts,
    )
    return np.stack(list(images)).astype(float)


def theirs(pipeline: StableDiffusion3Pipeline, **arguments: Any) -> Pixels:
    images = pipeline(
        PROMPT,
        height=64,
        width=64,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        max_sequence_length=1,
        generator=torch.Generator().manual_seed(SEED),
        **arguments,
    ).images
    return np.asarray(images[0], dtype=float)


SKIPPING = {
    "skip_guidance_layers": [1, 3],
    "skip_layer_guidance_scale": 2.0,
    "skip_layer_guidance_start": 0.1,
    "skip_layer_guidance_stop": 0.7,
}


@pytest.mark.parametrize(
    ("tuned", "arguments"),
    [
        ({"skip_layers": SKIP}, SKIPPING),
        ({"negative_prompt": NEGATIVE}, {"negative_prompt": NEGATIVE}),
        (BOTH, SKIPPING | {"negative_prompt": NEGATIVE}),
    ],
    ids=["skip layers", "negative prompt", "both"],
)
def test_the_image_is_the_one_that_diffusers_own_call_gives(
    pipeline: StableDiffusion3Pipeline, texts: TextEmbeddings, tuned: dict[str, Any], arguments: dict[str, Any]
) -> None:
    image = ours(pipeline, texts, tuned)[0]
    assert np.abs(image - theirs(pipeline, **arguments)).max() <= 1
    # It is not the image without.
    assert np.abs(image - theirs(pipeline)).mean() > 2


def test_skip_layer_guidance_is_the_formula(pipeline: StableDiffusion3Pipeline, texts: TextEmbeddings) -> None:
    """Euler steps by hand, each block that is left out replaced by nothing at all."""
    transformer, scheduler = pipeline.transformer, pipeline.scheduler
    text, negative = ((texts.rows([text])["embeds"], texts.rows([text])["pooled"]) for text in (PROMPT, ""))

    def velocity(latents: torch.Tensor, time: torch.Tensor, of: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        embeds, pooled = of
        output: torch.Tensor = transformer(
            hidden_states=latents,
            timestep=time.expand(1),
            encoder_hidden_states=embeds,
            pooled_projections=pooled,
            return_dict=False,
        )[0]
        return output

    shape = (1, transformer.config.in_channels, 16, 16)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(SEED))
    scheduler.set_timesteps(STEPS)
    blocks = transformer.transformer_blocks
    for step, time in enumerate(scheduler.timesteps):
        with torch.no_grad():
            wanted, unwanted = velocity(latents, time, text), velocity(latents, time, negative)
            v = unwanted + SCALE * (wanted - unwanted)
            if 0.1 < step / STEPS < 0.7:
                transformer.transformer_blocks = torch.nn.ModuleList(
                    block for index, block in enumerate(blocks) if index not in (1, 3)
                )
                v = v + 2.0 * (wanted - velocity(latents, time, text))
                transformer.transformer_blocks = blocks
        latents = latents + (scheduler.sigmas[step + 1] - scheduler.sigmas[step]) * v
    config = pipeline.vae.config
    with torch.no_grad():
        decoded = pipeline.vae.decode(latents / config.scaling_factor + config.shift_factor).sample
    by_hand = ((decoded[0] / 2 + 0.5).clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
    assert np.abs(ours(pipeline, texts, {"skip_layers": SKIP})[0] - by_hand).max() <= 1


def test_an_image_does_not_depend_on_its_neighbours(pipeline: StableDiffusion3Pipeline, texts: TextEmbeddings) -> None:
    together, alone = ours(pipeline, texts, BOTH, 3, SEED, 4), ours(pipeline, texts, BOTH)
    assert np.abs(together[1] - alone[0]).max() <= 1


def test_further_passes_are_recorded(
    pipeline: StableDiffusion3Pipeline, texts: TextEmbeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with record_cost("sample_tuned"):
        ours(pipeline, texts, {"skip_layers": SKIP}, 1, 2)
    work = json.loads((tmp_path / "metrics" / "resources" / "sample_tuned.json").read_text())["work"]
    assert work["sampling"]["amount"] == 2 * (2 * STEPS + 3)


def test_layers_that_a_base_does_not_have_are_named(pipeline: StableDiffusion3Pipeline, texts: TextEmbeddings) -> None:
    assert blocks_of("mini", str(ROOT / "models" / "mini")) == len(pipeline.transformer.transformer_blocks) == 6
    with pytest.raises(ValueError, match="names 6, and the base's transformer has the layers 0 to 5"):
        guided(pipeline, texts, TunedParams.model_validate({"skip_layers": SKIP | {"layers": [1, 6]}}), STEPS)
    refuse_unknown_layers([5], 6)
    refuse_unknown_layers([7, 8, 9], blocks_of("sd3.5-medium", None))
    refuse_unknown_layers([99], blocks_of("sd3.5-medium", "/nowhere"))
    with pytest.raises(ValueError, match="0 to 37"):
        refuse_unknown_layers([38], blocks_of("sd3.5-large", None))
