"""What a training step sees: samples, views, noise and noise levels, each a pure function of its keys.

Every draw is keyed on (seed, kind, step, place in the batch, sample id) from a CPU generator. A killed run goes on
exactly as an uninterrupted one, and the same samples get the same noise on any number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from anomend.diffusion.embeddings import EncodedSet
from anomend.diffusion.latent_format import LatentFormat
from anomend.project.seeding import torch_generator
from anomend.training.flow_matching import FlowMatching

INSTANCE, CLASS, LOSER = 0, 1, 2
"""Roles of a sample in a batch; in preference training the instance images are the winners."""
_NAMES = ("instance", "class", "loser")


@dataclass(frozen=True)
class TrainingData:
    """Everything that is trained on, encoded."""

    instance: EncodedSet
    """What to learn."""
    classes: EncodedSet | None
    """Images of the base itself, for prior preservation; None turns it off."""
    latent_format: LatentFormat
    losers: EncodedSet | None = None
    """Anomalous images of the base, for preference training."""

    def of(self, role: int) -> EncodedSet:
        """The set of a role."""
        found = (self.instance, self.classes, self.losers)[role]
        assert found is not None
        return found


@dataclass(frozen=True)
class Draw:
    """One sample of a step, before it is noised."""

    role: int
    slot: int
    """Place in the step's batch of this role; a winner and its loser share it."""
    row: int
    """Row in the encoded set of the role."""


Unit = tuple[Draw, ...]
"""Draws that must meet in one forward pass: one image, or a winner with its loser."""


@dataclass(frozen=True)
class Batch:
    """Latents with what noises them, what predicts them, and their roles."""

    latents: torch.Tensor
    """Clean latents x_0, (B, C, h, w)."""
    noise: torch.Tensor
    """n, (B, C, h, w)."""
    sigma: torch.Tensor
    """Noise levels, (B,)."""
    embeds: torch.Tensor
    """Text embeddings, (B, tokens, width)."""
    pooled: torch.Tensor
    """Pooled text embeddings, (B, width)."""
    role: torch.Tensor
    """INSTANCE, CLASS or LOSER, (B,)."""

    def __len__(self) -> int:
        return len(self.role)

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__dataclass_fields__))

    def where(self, mask: torch.Tensor) -> Batch:
        """The samples that a mask of shape (B,) chooses."""
        return Batch(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


@lru_cache(maxsize=8)
def _epoch_order(seed: int, kind: str, epoch: int, count: int) -> list[int]:
    order: list[int] = torch.randperm(count, generator=torch_generator(seed, kind, "order", epoch)).tolist()
    return order


def choose_samples(seed: int, kind: str, step: int, batch_size: int, count: int) -> list[int]:
    """Rows of the samples of a step: every epoch goes once through all `count` samples in an order of its own."""
    rows = []
    for position in range(step * batch_size, (step + 1) * batch_size):
        epoch, place = divmod(position, count)
        rows.append(_epoch_order(seed, kind, epoch, count)[place])
    return rows


def choose_units(data: TrainingData, seed: int, step: int, batch_size: int, class_batch_size: int) -> list[Unit]:
    """The units of a step over all processes: instance images, each with a loser of its caption if there are losers,
    then class images."""
    units: list[Unit] = []
    for slot, row in enumerate(choose_samples(seed, "instance", step, batch_size, len(data.instance))):
        winner = Draw(INSTANCE, slot, row)
        units.append((winner, Draw(LOSER, slot, _loser(data, seed, step, slot, row))) if data.losers else (winner,))
    if data.classes and class_batch_size:
        rows = choose_samples(seed, "class", step, class_batch_size, len(data.classes))
        units += [(Draw(CLASS, slot, row),) for slot, row in enumerate(rows)]
    return units


def _loser(data: TrainingData, seed: int, step: int, slot: int, row: int) -> int:
    assert data.losers is not None
    caption = data.instance.captions[int(data.instance.caption[row])]
    rows = [r for r, c in enumerate(data.losers.caption.tolist()) if data.losers.captions[c] == caption]
    if not rows:
        raise ValueError(f"no anomalous image of the base has the caption {caption!r}: run `dvc repro losers`")
    choice = torch.randint(len(rows), (), generator=torch_generator(seed, "loser", step, slot))
    return rows[int(choice)]


def make_batch(data: TrainingData, units: Sequence[Unit], seed: int, step: int, flow: FlowMatching) -> Batch:
    """Draw a view of each sample, a latent from its VAE posterior, noise and noise level.

    A winner and its loser get the same noise and noise level, so that their errors compare.
    """
    latents, noise, uniform, embeds, pooled, roles = [], [], [], [], [], []
    for draw in (draw for unit in units for draw in unit):
        encoded = data.of(draw.role)
        generator = torch_generator(seed, _NAMES[draw.role], step, draw.slot, encoded.ids[draw.row])
        view = int(torch.randint(encoded.mean.shape[1], (), generator=generator))
        mean, std = encoded.mean[draw.row, view], encoded.std[draw.row, view]
        latents.append(data.latent_format.process_in(mean + std * torch.randn(mean.shape, generator=generator)))
        if draw.role != LOSER:
            noise.append(torch.randn(mean.shape, generator=generator))
            uniform.append(torch.rand((), generator=generator))
        else:
            noise.append(noise[-1])
            uniform.append(uniform[-1])
        caption = encoded.caption[draw.row]
        embeds.append(encoded.embeds[caption])
        pooled.append(encoded.pooled[caption])
        roles.append(draw.role)
    return Batch(
        torch.stack(latents),
        torch.stack(noise),
        flow.sigmas(torch.stack(uniform)),
        torch.stack(embeds),
        torch.stack(pooled),
        torch.tensor(roles),
    )
