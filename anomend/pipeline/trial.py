"""A short timed trial: how fast this machine samples, encodes, trains and measures with the parameters of a run."""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from anomend.params.params import Params
from anomend.params.resolved import split
from anomend.pipeline.costs import TRIAL
from anomend.pipeline.work import passes_per_image
from anomend.project.metric_files import write_cost
from anomend.project.paths import RESOLVED, RUN_SETTINGS
from anomend.project.timing import WorkDone

if TYPE_CHECKING:
    import numpy as np
    import torch
    from diffusers import DiffusionPipeline
    from numpy.typing import NDArray

    from anomend.diffusion.embeddings import EncodedSet, TextEmbeddings
    from anomend.training.data import TrainingData

T = TypeVar("T")
SAMPLING_STEPS = 3
TRAINING_STEPS = 4
"""Timed ones; one more before them warms up."""


def run_trial(params: Params) -> None:
    """Sample one batch, encode and measure its images, make a few optimizer steps on noise, and record the times.

    The record is `metrics/resources/trial.json`; `anomend.pipeline.costs` takes it where no stage has run yet.

    Args:
        params: the parameters of the run.

    Raises:
        ValueError: the base cannot be loaded, the recipe does not fit it, or the detector lacks something.
        FileNotFoundError: the extractor's weights are missing.
    """
    _say("loading the base")
    # The plan's syntax trees are half a million objects: collecting garbage would go through them in every timed step.
    gc.freeze()
    start = time.perf_counter()
    from anomend.diffusion.embeddings import encode_images
    from anomend.diffusion.sampling import load_sampler, sample_images, sampling_options
    from anomend.project.devices import device_name

    pipeline, texts = load_sampler(params.base, params.prompts.target)
    loading = time.perf_counter() - start
    device = device_name(pipeline.transformer.device)
    count = params.sample.batch_size
    prompts = params.prompts.target
    requests = [(prompts[index % len(prompts)], params.sample.first_seed + index) for index in range(count)]
    options = sampling_options(params.base, params.sample)

    def sample(steps: int) -> list[NDArray[np.uint8]]:
        options["steps"] = steps
        return list(sample_images(pipeline, requests, **options, description="", texts=texts))

    def sampling_time() -> WorkDone:
        one, several = _timed(lambda: sample(1))[0], _timed(lambda: sample(SAMPLING_STEPS))[0]
        per_step = max(0.0, several - one) / (SAMPLING_STEPS - 1)
        # Decoding is there once per image, however many steps it has.
        whole = max(0.0, one - per_step) + per_step * params.sample.steps
        return WorkDone(count * passes_per_image(params), whole, device)

    _say(f"sampling {count} images, {SAMPLING_STEPS} steps")
    images = sample(1)
    work = {"sampling": sampling_time()}

    if params.train.makes_lora:
        work["training"] = replace(_training(params, pipeline, texts), device=device)
        if params.train.quantise_base == "none":
            _say("sampling with a LoRA")
            work["adapted"] = sampling_time()
    # At the end, since it leaves the VAE in float32.
    _say(f"encoding {count} images")
    encode_images(pipeline, images[:1], 1)
    seconds, _ = _timed(lambda: encode_images(pipeline, images, params.encode.batch_size))
    work["encoding"] = WorkDone(count, seconds, device)
    _say(f"measuring {count} images")
    work["measuring"] = replace(_measuring(params, images), device=device)
    results, run = split(params)
    write_cost(
        TRIAL,
        seconds=loading + sum(done.seconds for done in work.values()),
        work=work,
        parameters={RESOLVED.name: results, RUN_SETTINGS.name: run},
    )


def _training(params: Params, pipeline: DiffusionPipeline, texts: TextEmbeddings) -> WorkDone:
    """A few optimizer steps on latents of noise, which take as long as those of images."""
    from anomend.training.loop import LoraTrainer
    from anomend.training.setup import load_trained_parts

    settings = params.train
    transformer = pipeline.transformer
    if settings.quantise_base != "none":
        transformer = load_trained_parts(params).transformer
    _say(f"training {TRAINING_STEPS} steps")
    with tempfile.TemporaryDirectory() as folder:
        data = noise(params, pipeline, texts)
        trainer = LoraTrainer(transformer, settings, data, checkpoints=Path(folder))
        trainer.model.train()
        trainer.step()
        seconds, _ = _timed(lambda: [trainer.step() for _ in range(TRAINING_STEPS)])
    return WorkDone(TRAINING_STEPS * trainer.passes, seconds)


def _measuring(params: Params, images: list[NDArray[np.uint8]]) -> WorkDone:
    """The detector and the main extractor on images. What is compared between images takes less, and is left out."""
    from anomend.detectors.table import make_detector
    from anomend.measuring.features import get_extractor

    settings, device = params.measure, params.base.device
    detector, extractor = make_detector(settings.detector, params.detectors, device), get_extractor(settings.extractor)

    def measure(some: list[NDArray[np.uint8]]) -> None:
        detector.anomalies(some)
        extractor.extract(some, settings.batch_size, device=device)

    measure(images[:1])
    seconds, _ = _timed(lambda: measure(images))
    return WorkDone(len(images), seconds)


def noise(params: Params, pipeline: DiffusionPipeline, texts: TextEmbeddings) -> TrainingData:
    """Training data of the base's shapes: one image of noise in each set."""
    import torch

    from anomend.diffusion.base_models import load_latent_format
    from anomend.diffusion.embeddings import EncodedSet
    from anomend.families.table import family_of
    from anomend.training.data import TrainingData

    side = params.base.resolution // pipeline.vae_scale_factor
    latents: torch.Tensor = torch.randn(1, 1, family_of(pipeline).posterior_channels(pipeline.vae), side, side)

    def one_image(name: str) -> EncodedSet:
        caption, prompts = torch.zeros(1, dtype=torch.long), texts.captions[:1]
        return EncodedSet([name], latents, latents.abs(), caption, texts.captions, texts.texts, prompts)

    return TrainingData(
        instance=one_image("instance.png"),
        classes=one_image("class.png") if params.train.class_batch_size else None,
        latent_format=load_latent_format(params.base.name, params.base.local_folder, params.base.revision),
        losers=one_image("loser.png") if params.train.method == "dpo" else None,
        optimality=torch.full((1,), 0.5) if params.train.by_rewards else None,
    )


def _timed(do: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = do()
    return time.perf_counter() - start, result


def _say(what: str) -> None:
    print(f"trial: {what}", file=sys.stderr, flush=True)
