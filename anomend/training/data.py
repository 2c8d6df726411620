"""The samples of a training step: views, noise and noise levels, each a pure function of its keys.

Every draw comes from a CPU generator that is seeded by (seed, kind, step, place in the batch, sample id). So a killed
run continues exactly like an uninterrupted one, and samples get the same noise on any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch

from anomend.diffusion.embeddings import EncodedSet
from anomend.families.family import Texts
from anomend.families.latent_format import LatentFormat
from anomend.project.seeding import torch_generator
from anomend.training.flow_matching import FlowMatching

INSTANCE, CLASS, LOSER = 0, 1, 2
"""Roles of a sample in a batch. The instance images are the winners of preference training."""
_NAMES = ("instance", "class", "loser")


@dataclass(frozen=True)
class TrainingData:
    """All encoded images that are trained on."""

    instance: EncodedSet
    """Images to learn."""
    classes: EncodedSet | None
    """Images drawn by the base itself, for prior preservation; None turns it off."""
    latent_format: LatentFormat
    losers: EncodedSet | None = None
    """Anomalous images of the base, for preference training."""
    start_noise: Mapping[int, Mapping[int, torch.Tensor]] = field(default_factory=dict)
    """By role and row, the noise that an image was sampled from, (C, h, w), where it is known and asked for."""
    twins: Mapping[int, int] = field(default_factory=dict)
    """Row of an instance image -> row of the loser that shows its scene."""
    optimality: torch.Tensor | None = None
    """How good each instance image is, (N,), at most 1, for training by rewards: then right and wrong images are
    among them (`negative_aware.optimality`)."""

    def of(self, role: int) -> EncodedSet:
        """The set of a role."""
        encoded = (self.instance, self.classes, self.losers)[role]
        assert encoded is not None
        return encoded


@dataclass(frozen=True)
class Draw:
    """One sample of a step, before it is noised."""

    role: int
    slot: int
    """Place in the step's batch of this role; a winner and its loser share it."""
    row: int
    """Row in the encoded set of the role."""


Unit = tuple[Draw, ...]
"""Draws that must be in the same forward pass: one image, or a winner with its loser."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Latents with their noise, noise levels, text embeddings and roles."""

    latents: torch.Tensor
    """Clean latents x_0, (B, C, h, w)."""
    noise: torch.Tensor
    """n, (B, C, h, w)."""
    sigma: torch.Tensor
    """Noise levels, (B,)."""
    texts: Texts
    """The tensors of each sample's text."""
    role: torch.Tensor
    """INSTANCE, CLASS or LOSER, (B,)."""
    optimality: torch.Tensor | None = None
    """Optimality of the instance images, and 0 for others, (B,); None: not trained by rewards."""

    def __len__(self) -> int:
        return len(self.role)

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return self._map(lambda values: values.to(device, non_blocking=True))

    def where(self, mask: torch.Tensor) -> Batch:
        """The samples that a mask of shape (B,) selects."""
        return self._map(lambda values: values[mask])

    def _map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Batch:
        changed: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, dict):
                changed[name] = {key: change(tensor) for key, tensor in value.items()}
            else:
                changed[name] = None if value is None else change(value)
        return Batch(**changed)


@lru_cache(maxsize=8)
def _epoch_order(seed: int, kind: str, epoch: int, count: int) -> list[int]:
    order: list[int] = torch.randperm(count, generator=torch_generator(seed, kind, "order", epoch)).tolist()
    return order


def choose_samples(kind: str, *, seed: int, step: int, batch_size: int, count: int) -> list[int]:
    """Rows of a step's samples: every epoch visits all `count` samples once, each in a different order."""
    rows = []
    for position in range(step * batch_size, (step + 1) * batch_size):
        epoch, place = divmod(position, count)
        rows.append(_epoch_order(seed=seed, kind=kind, epoch=epoch, count=count)[place])
    return rows


def choose_units(data: TrainingData, *, seed: int, step: int, batch_size: int, class_batch_size: int) -> list[Unit]:
    """The units of a step over all processes: instance images, then class images.

    Each instance image has a loser of the same prompt if there are losers.
    """
    units: list[Unit] = []
    rows = choose_samples("instance", seed=seed, step=step, batch_size=batch_size, count=len(data.instance))
    for slot, row in enumerate(rows):
        winner = Draw(INSTANCE, slot, row)
        if data.losers:
            generator = torch_generator(seed, "loser", step, slot)
            units.append(
                (winner, Draw(LOSER, slot, _choose_loser(data=data, losers=data.losers, row=row, generator=generator)))
            )
        else:
            units.append((winner,))
    if data.classes and class_batch_size:
        rows = choose_samples("class", seed=seed, step=step, batch_size=class_batch_size, count=len(data.classes))
        units += [(Draw(CLASS, slot, row),) for slot, row in enumerate(rows)]
    return units


def _choose_loser(*, data: TrainingData, losers: EncodedSet, row: int, generator: torch.Generator) -> int:
    """The loser that shows the scene of the instance image in `row`, else a random one of its prompt.

    One whose caption names no target prompt, or several, is paired with the losers of all prompts.
    """
    if row in data.twins:
        return data.twins[row]
    prompt = data.instance.prompts[row]
    rows = [r for r, other in enumerate(losers.prompts) if other == prompt] or list(range(len(losers)))
    return rows[int(torch.randint(len(rows), (), generator=generator))]


def make_batch(data: TrainingData, units: Sequence[Unit], *, seed: int, step: int, flow: FlowMatching) -> Batch:
    """Draw a view of each sample, a latent from its VAE posterior, noise and noise level.

    A winner and its loser get the same noise, noise level and text, the winner's caption, so that their errors are
    comparable. An image whose start noise is in the data gets that instead, and is not mirrored or cropped: it is what
    this noise became.
    """
    latents, noise, uniform, roles = [], [], [], []
    texts: list[Texts] = []
    optimality: list[float] = []
    for draw in (draw for unit in units for draw in unit):
        encoded = data.of(draw.role)
        generator = torch_generator(seed, _NAMES[draw.role], step, draw.slot, encoded.ids[draw.row])
        own = data.start_noise.get(draw.role, {}).get(draw.row)
        view = int(torch.randint(encoded.mean.shape[1], (), generator=generator)) if own is None else 0
        mean, std = encoded.mean[draw.row, view], encoded.std[draw.row, view]
        latent = data.latent_format.process_in(mean + std * torch.randn(mean.shape, generator=generator))
        latents.append(latent)
        if draw.role != LOSER:
            noise.append(torch.randn(latent.shape, generator=generator) if own is None else own)
            uniform.append(torch.rand((), generator=generator))
            caption = encoded.caption[draw.row]
            texts.append({name: values[caption] for name, values in encoded.texts.items()})
        else:
            noise.append(noise[-1] if own is None else own)
            uniform.append(uniform[-1])
            texts.append(texts[-1])
        roles.append(draw.role)
        if data.optimality is not None:
            optimality.append(float(data.optimality[draw.row]) if draw.role == INSTANCE else 0.0)
    return Batch(
        latents=torch.stack(latents),
        noise=torch.stack(noise),
        sigma=flow.sigmas(torch.stack(uniform)),
        texts={name: torch.stack([text[name] for text in texts]) for name in texts[0]},
        role=torch.tensor(roles),
        optimality=torch.tensor(optimality) if data.optimality is not None else None,
    )
