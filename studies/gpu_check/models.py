"""Random models and data of true shapes, or of shrunk ones, straight on the device."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

from anomend.diffusion.embeddings import EncodedSet, TextEmbeddings
from anomend.families.latent_format import LatentFormat
from anomend.params.params import Params
from anomend.params.profiles import merge, read_profile, validated
from anomend.project.paths import PROFILES
from anomend.project.seeding import torch_generator
from anomend.training.data import TrainingData
from studies.rehearsal.child import ROOT
from studies.rehearsal.random_base import SD35_LARGE, SD35_MEDIUM, SHRUNK, TRUE, Shapes, random_component

SHAPES = {"sd3-medium": TRUE, "sd35-medium": SD35_MEDIUM, "sd35-large": SD35_LARGE}
"""By the name of the profile."""
VAE_FACTOR = 8
"""Pixels to a side of a latent."""
CLIP_TOKENS = 77
SEED = 0


def shapes_of(base: str, tiny: bool) -> Shapes:
    """The shapes of a profile's base; shrunk ones for a trial of the check itself."""
    return SHRUNK if tiny else SHAPES[base]


def params_of(base: str, tiny: bool, **sections: Any) -> Params:
    """The parameters of a profile with changes by section; a trial has small images."""
    values = merge(read_profile(base, ROOT / PROFILES), {"profile": base, **sections})
    if tiny:
        values = merge(values, {"base": {"resolution": 64, "max_sequence_length": CLIP_TOKENS}})
    return validated(values)


def random_transformer(shapes: Shapes, device: torch.device) -> SD3Transformer2DModel:
    """The transformer, in bfloat16."""
    transformer: Any = random_component(shapes, "transformer", SEED, device)
    return transformer


def random_pipeline(shapes: Shapes, device: torch.device) -> StableDiffusion3Pipeline:
    """Transformer, VAE and scheduler, in bfloat16, for texts that are already encoded."""
    texts = ("text_encoder", "text_encoder_2", "text_encoder_3", "tokenizer", "tokenizer_2", "tokenizer_3")
    pipeline = StableDiffusion3Pipeline(
        transformer=random_transformer(shapes, device),
        vae=random_component(shapes, "vae", SEED, device),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0),
        **dict.fromkeys(texts),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def random_texts(shapes: Shapes, captions: list[str], tokens: int) -> TextEmbeddings:
    """Embeddings of captions, random."""
    generator, widths = torch_generator(SEED, "texts"), shapes.transformer
    return TextEmbeddings(
        captions,
        {
            "embeds": torch.randn(len(captions), tokens, widths["joint_attention_dim"], generator=generator),
            "pooled": torch.randn(len(captions), widths["pooled_projection_dim"], generator=generator),
        },
    )


def random_data(shapes: Shapes, resolution: int, tokens: int) -> TrainingData:
    """Eight instance images and eight class images, encoded, random."""
    texts = random_texts(shapes, ["a caption"], tokens)
    side = resolution // VAE_FACTOR

    def encoded(name: str) -> EncodedSet:
        latents = torch.randn(8, 1, 16, side, side, generator=torch_generator(SEED, name))
        return EncodedSet(
            ids=[f"{name}-{index}" for index in range(8)],
            mean=latents,
            std=torch.full_like(latents, 0.01),
            caption=torch.zeros(8, dtype=torch.long),
            captions=texts.captions,
            texts=texts.texts,
            prompts=texts.captions * 8,
        )

    return TrainingData(encoded("instance"), encoded("class"), LatentFormat(1.5305, 0.0609))
