"""What a training is made of, from resolved parameters: data, base, processes, and what is looked at meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

from anomend.diffusion.base_models import load_denoiser, load_latent_format
from anomend.diffusion.embeddings import TextEmbeddings, load_encoded
from anomend.diffusion.latent_format import LatentFormat
from anomend.diffusion.lora import load_lora
from anomend.diffusion.quantisation import quantised_transformer
from anomend.diffusion.sampling import sample_images, sampling_options
from anomend.params.params import Params
from anomend.training.data import TrainingData
from anomend.training.loop import LookAt
from anomend.training.monitoring import Image, Look, shared_anomaly_rate, validation_batches, validation_loss
from anomend.training.objectives import flow_matching

Draw = Callable[[Sequence[tuple[str, int]]], list[Image]]
"""Samples (prompt, seed) requests with the model as it is."""
Anomalous = Callable[[Sequence[Image]], list[bool]]
"""Tells which images have an anomaly."""


def load_training_data(params: Params, encoded: Path) -> TrainingData:
    """The encoded sets that the recipe uses, from the folder of stage `encode`.

    Raises:
        ValueError: a set is missing.
    """
    settings = params.train
    latent_format = load_latent_format(params.base.name, params.base.local_folder)
    if settings.quirks.skip_latent_shift:
        latent_format = LatentFormat(latent_format.scaling_factor, 0.0)
    wanted = {"instance": True, "class": settings.class_batch_size > 0, "loser": settings.method == "dpo"}
    sets = {name: load_encoded(encoded / f"{name}.safetensors") if needed else None for name, needed in wanted.items()}
    assert sets["instance"] is not None
    return TrainingData(sets["instance"], sets["class"], latent_format, sets["loser"])


def make_draw(params: Params, pipeline: StableDiffusion3Pipeline, texts: TextEmbeddings) -> Draw:
    """Sampling with the pipeline's transformer as it is at the moment of the call."""

    def draw(requests: Sequence[tuple[str, int]]) -> list[Image]:
        # The decoder is on the device only while it is needed.
        pipeline.vae.to(pipeline.transformer.device)
        images = list(
            sample_images(
                pipeline,
                requests,
                **sampling_options(params.base, params.sample),
                description="",
                texts=texts,
            )
        )
        pipeline.vae.to("cpu")
        return images

    return draw


def looked_at(params: Params) -> list[tuple[str, int]]:
    """The (prompt, seed) requests of each look."""
    monitor = params.train.monitor
    seeds = range(monitor.first_seed, monitor.first_seed + monitor.seeds_per_prompt)
    return [(prompt, seed) for prompt in params.prompts.target for seed in seeds]


def make_look(params: Params, data: TrainingData, draw: Draw, anomalous: Anomalous) -> LookAt:
    """What is looked at while training: the anomaly rate at a few fixed seeds, and the validation loss."""
    monitor, flow, requests = params.train.monitor, flow_matching(params.train), looked_at(params)
    fixed = validation_batches(data, flow, monitor.validation_draws, params.train.seed, params.train.batch_size)
    judge = None if monitor.detector == "none" else anomalous

    def look_at(transformer: SD3Transformer2DModel, accelerator: Accelerator) -> Look:
        loss = validation_loss(transformer, fixed, flow)
        rate, images = shared_anomaly_rate(requests, draw, judge, accelerator) if requests else (None, ())
        return Look(rate, loss, images, len(requests))

    return look_at


def reload_difference(pipeline: StableDiffusion3Pipeline, lora: Path, draw: Draw, params: Params) -> int | None:
    """How far images of the saved LoRA, loaded by diffusers, are from those of the adapter that was trained.

    Returns:
        Largest difference in grey levels, 0 to 255, over the first two requests of a look; None where nothing is
        sampled while training.
    """
    requests = looked_at(params)[:2]
    if not (params.train.monitor.every and requests):
        return None
    trained = draw(requests)
    pipeline.transformer.delete_adapters("default")
    load_lora(pipeline, lora)
    loaded = draw(requests)
    return max(int(abs(a.astype(int) - b.astype(int)).max()) for a, b in zip(trained, loaded, strict=True))


def load_trained_parts(params: Params) -> StableDiffusion3Pipeline:
    """The base without text encoders, and without a VAE unless samples are looked at while training."""
    base, settings = params.base, params.train
    parts: dict[str, Any] = {}
    if not (settings.monitor.every and settings.monitor.seeds_per_prompt):
        parts["vae"] = None
    if settings.quantise_base != "none":
        parts["transformer"] = quantised_transformer(base.name, base.local_folder, settings.quantise_base, base.dtype)
    return load_denoiser(base.name, base.local_folder, base.dtype, **parts)


def make_accelerator(params: Params, device: torch.device, folder: Path) -> Accelerator:
    """The processes of this training, with the trackers that were asked for, which write to `folder`.

    Raises:
        ValueError: a tracker's package is missing.
    """
    trackers = params.train.monitor.trackers
    # accelerate leaves out a tracker whose package it does not find; whoever asked for it would miss the curves.
    if lacking := [tracker for tracker in trackers if find_spec(tracker) is None]:
        raise ValueError(f"train.monitor.trackers = {lacking} is not installed: pip install it, or leave it out")
    accelerator = Accelerator(cpu=device.type == "cpu", log_with=trackers or None, project_dir=str(folder))
    if trackers:
        accelerator.init_trackers("anomend", {"profile": params.profile, "seed": params.train.seed})
    return accelerator


def end_together(accelerator: Accelerator) -> None:
    """Close the trackers and part from the other processes, once none has more to ask of another.

    A process that leaves early can take one down that still works. Those that leave together sleep first: gloo's own
    thread takes Python's lock to drop the last exchange, and whoever ends the group holds that lock while it waits for
    the thread. Without the pause both can wait for ever (torch 2.13, on one core: within ten groups; with it, none of
    150).
    """
    if accelerator.num_processes > 1:
        accelerator.wait_for_everyone()
        time.sleep(1)
    accelerator.end_training()
