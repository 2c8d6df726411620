"""Training by rewards of the tiny transformer, whose images are what it predicts for fixed noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import SD3Transformer2DModel

from anomend.diffusion.embeddings import TextEmbeddings
from anomend.diffusion.lora import save_lora
from anomend.project.seeding import torch_generator
from anomend.training.evaluations import Image
from anomend.training.loop import LoraTrainer
from anomend.training.rounds import Rounds, drawn_pictures, empty_set
from tests.diffusion.tiny import encoded_set, tiny_transformer, train_params, training_data

PROMPTS = ["lying on the grass", "lying on the street"]
SMALL: dict[str, Any] = {
    "method": "nft",
    "steps": 8,
    "batch_size": 4,
    "class_batch_size": 2,
    "lr_scheduler": "constant",
    "learning_rate": 1e-2,
    "nft": {"images_per_prompt": 4, "passes": 2, "min_diversity": 0.0, "flip": False},
}
"""Rounds of 8 images and 4 steps, two of them."""


def texts() -> TextEmbeddings:
    encoded = encoded_set(2, 1)
    return TextEmbeddings(PROMPTS, encoded.texts)


def drawn(transformer: SD3Transformer2DModel, prompt: str, seed: int) -> Image:
    """One step of sampling from pure noise, as an image of 4 x 16 pixels whose values are rounded as an image's are."""
    row, given = PROMPTS.index(prompt), texts()
    noise = torch.randn(1, 4, 4, 4, generator=torch_generator("drawn", seed))
    with torch.no_grad():
        velocity = transformer(
            hidden_states=noise,
            timestep=torch.tensor([1000.0]),
            encoder_hidden_states=given.texts["embeds"][row : row + 1],
            pooled_projections=given.texts["pooled"][row : row + 1],
        ).sample
    latents = (noise - velocity).reshape(4, 16, 1).expand(-1, -1, 3)
    return (latents * 20 + 128).clamp(0, 255).round().to(torch.uint8).numpy()


def encode(images: Any) -> tuple[torch.Tensor, torch.Tensor]:
    mean = torch.from_numpy(np.stack(images))[..., 0].float().sub(128).div(20).view(-1, 4, 4, 4)
    return mean, torch.full_like(mean, 0.01)


def bright(images: Any) -> list[bool]:
    """The anomaly: the first half of the image is brighter than the second."""
    return [bool(image[:2].mean() > image[2:].mean()) for image in images]


def rounds(
    settings: Any,
    *,
    anomalous: Callable[[Any], list[bool]] = bright,
    second: Callable[[Any], list[bool]] | None = None,
    draw: Callable[..., Image] = drawn,
) -> Rounds:
    def drawing(transformer: SD3Transformer2DModel) -> Callable[[Any], list[Image]]:
        return lambda requests: [draw(transformer, *request) for request in requests]

    def drawing_base(transformer: SD3Transformer2DModel) -> Callable[[Any], list[Image]]:
        return lambda requests: [draw(tiny_transformer(), *request) for request in requests]

    nft = settings.nft
    images = nft.images_per_prompt * len(PROMPTS)
    return Rounds(
        steps=nft.passes * images // settings.batch_size if settings.method == "nft" else settings.steps,
        pictures=drawn_pictures(
            PROMPTS,
            per_prompt=nft.images_per_prompt,
            first_seed=0,
            drawing=drawing,
            drawing_base=drawing_base,
            anomalous=anomalous,
            second=second,
        ),
        encode=encode,
        texts=texts(),
        flip=nft.flip,
    )


def trainer_of(folder: Path, *, made: Callable[[Any], Rounds] = rounds, **changes: Any) -> LoraTrainer:
    """A trainer of SMALL with changes; those of `nft` replace only what they name."""
    changes["nft"] = SMALL["nft"] | changes.get("nft", {})
    evaluate, log = changes.pop("evaluate", None), changes.pop("log", None)
    settings = train_params(**(SMALL | changes))
    return LoraTrainer(
        tiny_transformer(),
        settings,
        replace(training_data(), instance=empty_set()),
        checkpoints=folder / "checkpoints",
        rounds=made(settings),
        evaluate=evaluate,
        log=log,
    )


def train(folder: Path, **changes: Any) -> tuple[LoraTrainer, str]:
    """Train; returns the trainer and the LoRA's SHA-256."""
    trainer = trainer_of(folder, **changes)
    trainer.run()
    return trainer, save_lora(trainer.transformer, folder / "lora")
