"""A transformer small enough for tests, in diffusers' own class, with encoded data to match."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel

from anomend.diffusion.embeddings import EncodedSet
from anomend.families.latent_format import LatentFormat
from anomend.params.profiles import merge, read_profile, validated
from anomend.params.training import TrainParams
from anomend.training.data import TrainingData
from tests.conftest import ROOT

FORMAT = LatentFormat(1.5, 0.06)

compiles = pytest.mark.skipif(
    shutil.which("g++") is None or " " in torch.__file__, reason="needs g++, and a path without spaces"
)
"""torch.compile needs this on a CPU."""


def tiny_transformer(**changes: Any) -> SD3Transformer2DModel:
    """Two blocks of Stable Diffusion 3's kind, the same weights each time; `changes` go to diffusers' class."""
    torch.manual_seed(3)
    shape: dict[str, Any] = {
        "sample_size": 4,
        "patch_size": 2,
        "in_channels": 4,
        "out_channels": 4,
        "num_layers": 2,
        "num_attention_heads": 2,
        "attention_head_dim": 8,
        "joint_attention_dim": 16,
        "caption_projection_dim": 16,
        "pooled_projection_dim": 8,
        "pos_embed_max_size": 4,
    }
    return SD3Transformer2DModel(**shape | changes).eval()


def predict(transformer: SD3Transformer2DModel) -> torch.Tensor:
    """Velocity for inputs of the transformer's own shape, the same each time."""
    generator, shape = torch.Generator().manual_seed(0), transformer.config
    with torch.no_grad():
        output: torch.Tensor = transformer(
            hidden_states=torch.randn(1, shape.in_channels, shape.sample_size, shape.sample_size, generator=generator),
            timestep=torch.tensor([500.0]),
            encoder_hidden_states=torch.randn(1, 14, shape.joint_attention_dim, generator=generator),
            pooled_projections=torch.randn(1, shape.pooled_projection_dim, generator=generator),
            return_dict=False,
        )[0]
    return output


def encoded_set(count: int, key: int) -> EncodedSet:
    """Each sample has two views."""
    generator = torch.Generator().manual_seed(key)
    return EncodedSet(
        ids=[f"{index:04d}.png" for index in range(count)],
        mean=torch.randn(count, 2, 4, 4, 4, generator=generator),
        std=torch.full((count, 2, 4, 4, 4), 0.1),
        caption=torch.arange(count) % 2,
        captions=["lying on the grass", "lying on the street"],
        texts={
            "embeds": torch.randn(2, 3, 16, generator=generator),
            "pooled": torch.randn(2, 8, generator=generator),
        },
        prompts=[("lying on the grass", "lying on the street")[index % 2] for index in range(count)],
    )


def training_data() -> TrainingData:
    """Five instance images and four class images."""
    return TrainingData(encoded_set(5, 1), encoded_set(4, 2), FORMAT)


def train_params(**changes: Any) -> TrainParams:
    """A small recipe without evaluations; nested changes replace only what they name."""
    small: dict[str, Any] = {
        "steps": 12,
        "batch_size": 3,
        "class_batch_size": 2,
        "rank": 2,
        "alpha": 2,
        "checkpoint_every": 4,
        "warmup_steps": 2,
        "monitor": {"every": 0, "patience": 0, "keep": "last"},
    }
    values = read_profile("mini", ROOT / "profiles")
    return validated({"profile": "mini"} | merge(values, {"train": merge(small, changes, TrainParams)})).train
