"""What an evaluation measures: the anomaly rate of the target prompts, and a loss whose noise never changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator
from diffusers import ModelMixin

from anomend.project.seeding import torch_generator
from anomend.training.data import INSTANCE, Batch, TrainingData
from anomend.training.evaluations import Image
from anomend.training.flow_matching import FlowMatching
from anomend.training.objectives import predict_velocity


def shared_anomaly_rate(
    requests: Sequence[tuple[str, int]],
    *,
    sample: Callable[[Sequence[tuple[str, int]]], Sequence[Image]],
    detect: Callable[[Sequence[Image]], Sequence[bool]] | None,
    accelerator: Accelerator,
) -> tuple[float | None, tuple[Image, ...]]:
    """Sample the requests, shared out over the processes, and count the anomalous images.

    Args:
        requests: (prompt, seed) of each image, at least one.
        sample: draws images.
        detect: returns for each image whether it has an anomaly; None: no detector runs.
        accelerator: the processes.

    Returns:
        The rate, the same on every process, None without a detector; and this process's images.
    """
    share = list(requests)[accelerator.process_index :: accelerator.num_processes]
    images = tuple(sample(share)) if share else ()
    if detect is None:
        return None, images
    count = torch.tensor(float(sum(detect(images)))) if images else torch.zeros(())
    total = accelerator.reduce(count.to(accelerator.device), "sum")
    return float(total) / len(requests), images


def validation_batches(
    data: TrainingData, flow: FlowMatching, *, draws: int, seed: int, batch_size: int
) -> list[Batch]:
    """Fixed (sample, noise, sigma) triples: equal at every evaluation, so that the losses on them are comparable.

    They are instance images, which are also trained on. The loss shows how training goes, not how it generalises; the
    anomaly rate shows that. Training by rewards has class images alone: the loss shows how far the rest is preserved.
    Noise levels are the scheme's quantiles (i + 1/2) / draws: none is at an end, where a
    weight such as sigma^-2 would let one draw decide the mean.
    """
    encoded = data.instance if len(data.instance) or data.classes is None else data.classes
    # Neighbouring places are different samples; a stride through the quantiles gives each sample all levels.
    strides = (torch.arange(draws, dtype=torch.float64) * 0.618033988749895) % 1
    quantiles = (strides.argsort().argsort() + 0.5) / max(draws, 1)
    batches = []
    for start in range(0, draws, batch_size):
        places = range(start, min(start + batch_size, draws))
        rows = [place % len(encoded) for place in places]
        latents = data.latent_format.process_in(encoded.mean[rows, 0])
        noise = [torch.randn(latents.shape[1:], generator=torch_generator(seed, "validation", p)) for p in places]
        captions = encoded.caption[rows]
        batches.append(
            Batch(
                latents=latents,
                noise=torch.stack(noise),
                sigma=flow.sigmas(quantiles[list(places)]),
                texts={name: values[captions] for name, values in encoded.texts.items()},
                role=torch.full((len(rows),), INSTANCE),
            )
        )
    return batches


@torch.no_grad()
def validation_loss(transformer: ModelMixin, batches: Sequence[Batch], flow: FlowMatching) -> float | None:
    """Mean loss over the fixed draws; None where there are none."""
    losses = []
    for batch in (batch.to(transformer.device) for batch in batches):
        velocity = predict_velocity(transformer, batch, transformer.dtype)
        losses.append(flow.loss(velocity, latents=batch.latents, noise=batch.noise, sigma=batch.sigma))
    return float(torch.cat(losses).mean()) if losses else None
