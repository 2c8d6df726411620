"""Tensors that several processes share (FSDP 2), gathered and shared out again."""

from __future__ import annotations

import torch
from torch.distributed.tensor import DTensor, distribute_tensor


def gathered(tensor: torch.Tensor) -> torch.Tensor:
    """A sharded tensor gathered from all processes, which all must call this; any other tensor unchanged."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def sharded_like(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A whole tensor sharded as `like` is; unchanged where `like` is not sharded, or the tensor already is."""
    if isinstance(like, DTensor) and not isinstance(tensor, DTensor):
        return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)
    return tensor


def local(tensor: torch.Tensor) -> torch.Tensor:
    """This process's part of a sharded tensor; any other tensor unchanged."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def is_sharded(module: torch.nn.Module) -> bool:
    """Whether several processes share a module's parameters, so that they have to run it together."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())
