"""The processor that models run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def resolve_device(device: str) -> torch.device:
    """The torch device for 'auto', 'cpu' or 'cuda'.

    Raises:
        ValueError: 'cuda' where torch sees no GPU.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("base.device = 'cuda', and torch sees no GPU here: set base.device=auto, or fix the driver")
    return torch.device(device)


def device_name(device: torch.device) -> str:
    """`cpu`, or the GPU's name, such as NVIDIA L4."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
