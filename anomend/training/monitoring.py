"""What is looked at while training: the anomaly rate of the target prompts, and a loss whose noise never changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import SD3Transformer2DModel
from numpy.typing import NDArray

from anomend.project.seeding import torch_generator
from anomend.training.data import INSTANCE, Batch, TrainingData
from anomend.training.flow_matching import FlowMatching
from anomend.training.objectives import predict_velocity

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Look:
    """What was seen at one step."""

    anomaly_rate: float | None
    """Share of the sampled images with an anomaly; None: not looked at."""
    validation_loss: float | None
    """Flow-matching loss on the fixed draws; None: not looked at."""
    images: tuple[Image, ...] = ()
    """The samples, in an order that never changes."""
    sampled: int = 0
    """Images that the rate is a share of; 0 takes it as exact."""


@dataclass
class Looks:
    """All looks of a run, and which was best."""

    steps: list[int] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    by_sigma: list[list[float]] = field(default_factory=list)
    """Mean training loss by bin of sigma since the look before, NaN for a bin without samples."""

    def add(self, step: int, look: Look, by_sigma: list[float]) -> bool:
        """Note a look; returns whether it is the best so far."""
        self.steps.append(step)
        self.looks.append(look)
        self.by_sigma.append(by_sigma)
        return self.best == len(self.steps) - 1

    @property
    def best(self) -> int | None:
        """Index of the best look; None: no anomaly rate was looked at.

        A rate from a few images is noisy, and the lowest of many is lowest by luck: of the looks within one standard
        error of the lowest rate, the one with the lowest validation loss is best, and of equals the earliest.
        """
        rates = [(look.anomaly_rate, index) for index, look in enumerate(self.looks) if look.anomaly_rate is not None]
        if not rates:
            return None
        lowest, place = min(rates)
        limit = lowest + standard_error(lowest, self.looks[place].sampled)
        near = [(_or_nan(self.looks[index].validation_loss), index) for rate, index in rates if rate <= limit]
        return min(near, key=lambda pair: (np.nan_to_num(pair[0]), pair[1]))[1]

    def stale(self, patience: int) -> bool:
        """Whether the last `patience` looks were no better than one before them; 0: never."""
        return patience > 0 and self.best is not None and len(self.steps) - 1 - self.best >= patience

    def tensors(self) -> dict[str, torch.Tensor]:
        """For a checkpoint."""
        found = {}
        for index, (step, look, by_sigma) in enumerate(zip(self.steps, self.looks, self.by_sigma, strict=True)):
            figures = [step, _or_nan(look.anomaly_rate), look.sampled, _or_nan(look.validation_loss), *by_sigma]
            found[f"look/{index:05d}/figures"] = torch.tensor(figures, dtype=torch.float64)
            if look.images:
                found[f"look/{index:05d}/images"] = torch.from_numpy(np.stack(look.images))
        return found

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor]) -> Looks:
        """What `tensors` gave."""
        looks = cls()
        for name in sorted(name for name in tensors if name.startswith("look/") and name.endswith("/figures")):
            step, rate, sampled, loss, *by_sigma = tensors[name].tolist()
            images = tensors.get(name.replace("figures", "images"))
            looks.add(
                int(step),
                Look(_or_none(rate), _or_none(loss), tuple(images.numpy()) if images is not None else (), int(sampled)),
                by_sigma,
            )
        return looks


def standard_error(rate: float, sampled: int) -> float:
    """Of a rate among `sampled` images, with one success and one failure added (Agresti and Coull 1998), so that it is
    not 0 at a rate of 0; 0 for `sampled` = 0."""
    shrunk = (rate * sampled + 1) / (sampled + 2)
    return math.sqrt(shrunk * (1 - shrunk) / sampled) if sampled else 0.0


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value


def shared_anomaly_rate(
    requests: Sequence[tuple[str, int]],
    sample: Callable[[Sequence[tuple[str, int]]], Sequence[Image]],
    anomalous: Callable[[Sequence[Image]], Sequence[bool]] | None,
    accelerator: Accelerator,
) -> tuple[float | None, tuple[Image, ...]]:
    """Sample the requests, shared out over the processes, and count the anomalous ones.

    Returns:
        The rate, the same on every process, None without a detector; and this process's images.
    """
    own = list(requests)[accelerator.process_index :: accelerator.num_processes]
    images = tuple(sample(own)) if own else ()
    if anomalous is None:
        return None, images
    count = torch.tensor(float(sum(anomalous(images)))) if images else torch.zeros(())
    total = accelerator.reduce(count.to(accelerator.device), "sum")
    return float(total) / len(requests), images


def validation_batches(data: TrainingData, flow: FlowMatching, draws: int, seed: int, size: int) -> list[Batch]:
    """Fixed (sample, noise, sigma) triples in batches: equal at every look, so that the loss on them is comparable.

    They are instance images, which are trained on: the loss shows how training goes, not how it generalises; that is
    what the anomaly rate is for. Noise levels are spread evenly over the scheme's quantiles.
    """
    batches = []
    for start in range(0, draws, size):
        places = range(start, min(start + size, draws))
        rows = [place % len(data.instance) for place in places]
        latents = data.latent_format.process_in(data.instance.mean[rows, 0])
        noise = [torch.randn(latents.shape[1:], generator=torch_generator(seed, "validation", p)) for p in places]
        # Neighbouring places are different samples; a stride through the quantiles gives each sample all levels.
        quantiles = torch.tensor([((place * 0.618033988749895) % 1) for place in places])
        captions = data.instance.caption[rows]
        batches.append(
            Batch(
                latents,
                torch.stack(noise),
                flow.sigmas(quantiles),
                data.instance.embeds[captions],
                data.instance.pooled[captions],
                torch.full((len(rows),), INSTANCE),
            )
        )
    return batches


@torch.no_grad()
def validation_loss(transformer: SD3Transformer2DModel, batches: Sequence[Batch], flow: FlowMatching) -> float | None:
    """Mean loss over the fixed draws; None where there are none."""
    losses = []
    for batch in (batch.to(transformer.device) for batch in batches):
        velocity = predict_velocity(transformer, batch, transformer.dtype)
        losses.append(flow.loss(velocity, batch.latents, batch.noise, batch.sigma))
    return float(torch.cat(losses).mean()) if losses else None
