"""Sampling, decoding and the text encoders, on a random base."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import StableDiffusion3Pipeline

from anomend.diffusion.embeddings import encode_captions
from anomend.diffusion.loading import prepare_decoder
from anomend.diffusion.sampling import sample_images
from studies.gpu_check.clock import memory, repeated, seconds_of
from studies.gpu_check.models import (
    CLIP_TOKENS,
    SEED,
    VAE_FACTOR,
    params_of,
    random_pipeline,
    random_texts,
    shapes_of,
)
from studies.rehearsal.random_base import T5_TOKENS, build_t5_tokenizer, random_component

FEW, MORE = 2, 8
"""Sampling steps of the two runs whose difference is the cost of a step."""


def sample(*, base: str, batch_size: int, compiled: bool, tiny: bool, device: torch.device) -> dict[str, Any]:
    """Seconds of a sampling step, of all else that a batch needs, and of an image at the profile's number of steps."""
    params, shapes = params_of(base, tiny), shapes_of(base, tiny)
    pipeline = random_pipeline(shapes, device)
    prepare_decoder(pipeline, params.base.resolution)
    if compiled:
        from anomend.training.acceleration.blocks import compile_blocks

        compile_blocks(pipeline.transformer)
    texts = random_texts(shapes, ["", "a prompt"], CLIP_TOKENS + params.base.max_sequence_length)

    def draw(steps: int) -> None:
        images = sample_images(
            pipeline,
            [("a prompt", seed) for seed in range(batch_size)],
            steps=steps,
            guidance_scale=params.sample.guidance_scale,
            resolution=params.base.resolution,
            max_sequence_length=params.base.max_sequence_length,
            batch_size=batch_size,
            description="",
            texts=texts,
        )
        assert len(list(images)) == batch_size

    first = seconds_of(lambda: draw(FEW), device)
    short, long = (seconds_of(lambda steps=steps: draw(steps), device) for steps in (FEW, MORE))  # type: ignore[misc]
    step = (long - short) / (MORE - FEW)
    rest = short - FEW * step
    return {
        "seconds_per_image": round((rest + params.sample.steps * step) / batch_size, 3),
        "sampling_steps": params.sample.steps,
        "seconds_per_sampling_step": round(step, 4),
        "seconds_besides_steps": round(rest, 4),
        "first_seconds": round(first, 3),
        "batch_size": batch_size,
        "compiled": compiled,
        **memory(device),
    }


def decode(*, base: str, batch_size: int, tiny: bool, device: torch.device) -> dict[str, Any]:
    """The VAE's decoder alone, in float32, with the whole batch at once: what slicing saves."""
    vae: Any = random_component(shapes_of(base, tiny), "vae", SEED, device).float()
    side = params_of(base, tiny).base.resolution // VAE_FACTOR
    latents = torch.randn(batch_size, 16, side, side, device=device)
    with torch.no_grad():
        return {**repeated(lambda: vae.decode(latents), device), "batch_size": batch_size}


def texts(*, base: str, tiny: bool, device: torch.device) -> dict[str, Any]:
    """Both CLIPs and T5-XXL in bfloat16 on eight prompts."""
    from studies.pretraining.text_encoders import build_tokenizer

    shapes, length = shapes_of(base, tiny), params_of(base, tiny).base.max_sequence_length
    encoders = ("text_encoder", "text_encoder_2", "text_encoder_3")
    pipeline = StableDiffusion3Pipeline(
        transformer=None,
        vae=None,
        scheduler=None,
        **{part: random_component(shapes, part, SEED, device) for part in encoders},
        tokenizer=build_tokenizer(CLIP_TOKENS),
        tokenizer_2=build_tokenizer(CLIP_TOKENS),
        tokenizer_3=build_t5_tokenizer(),
    )
    assert length <= T5_TOKENS
    prompts = [f"lying on the grass {index}" for index in range(8)]

    def encode() -> None:
        encode_captions(pipeline, prompts, max_sequence_length=length, batch_size=8)

    return {**repeated(encode, device, most=3), "prompts": len(prompts), "tokens": CLIP_TOKENS + length}
