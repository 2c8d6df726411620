"""Networks on the processor that runs them, with the same arithmetic on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

Forward = Callable[["torch.Tensor"], "torch.Tensor"]
"""Prepared images (n, 3, H, W) in float32 -> features (n, d), on the same device."""


@dataclass(frozen=True)
class Network:
    """A forward pass with the weights that it reads, which can be moved to another device."""

    weights: torch.nn.Module
    forward: Forward

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        return self.forward(batch)


@lru_cache(maxsize=2)
def loaded(load: Callable[[Path], Forward], weights: Path) -> Forward:
    """A network, which the next calls need not load again."""
    return load(weights)


def placed(forward: Forward, device: torch.device) -> Forward:
    """A forward pass whose weights are on a device; one that has no weights is left as it is."""
    if isinstance(forward, Network):
        forward.weights.to(device)
    return forward


@contextmanager
def in_full_precision(device: torch.device) -> Iterator[None]:
    """Inside, a GPU convolves in float32: by itself it rounds to TF32's ten bits. A CPU is left as it is."""
    import torch

    if device.type == "cpu":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
