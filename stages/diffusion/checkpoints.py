"""Resumable training state: named tensors and a step, written atomically as safetensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

_NAME = "state-{step:07d}.safetensors"


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str = "optimizer") -> dict[str, torch.Tensor]:
    """The optimizer's per-parameter state as flat named tensors, `prefix/<parameter index>/<key>`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{prefix}/{index}/{key}": value if torch.is_tensor(value) else torch.tensor(value)
        for index, entries in state.items()
        for key, value in entries.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], prefix: str = "optimizer"
) -> None:
    """Put back what `optimizer_tensors` took out; learning rates stay as the optimizer has them."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(f"{prefix}/"):
            _, index, key = name.rsplit("/", 2)
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def save_checkpoint(folder: Path, step: int, tensors: Mapping[str, torch.Tensor]) -> Path:
    """Write a checkpoint and remove the older ones; a kill at any moment leaves a whole one behind.

    Args:
        folder: where the run keeps its checkpoints.
        step: optimizer steps done.
        tensors: everything that the next step depends on.

    Returns:
        The checkpoint's path.

    Raises:
        OSError: the disk is full or the folder cannot be written; the previous checkpoint is then still there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _NAME.format(step=step)
    partial = path.with_suffix(".partial")
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, partial)
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        partial.replace(path)
    except SafetensorError as error:
        raise OSError(f"{partial} could not be written ({error}): free some space, then run again") from error
    finally:
        partial.unlink(missing_ok=True)
    for other in folder.glob("state-*.safetensors"):
        if other != path:
            other.unlink()
    return path


def load_checkpoint(folder: Path) -> tuple[int, dict[str, torch.Tensor]] | None:
    """The newest checkpoint of a folder as (steps done, tensors), or None where there is none."""
    paths = sorted(folder.glob("state-*.safetensors"))
    if not paths:
        return None
    step = int(paths[-1].stem.removeprefix("state-"))
    with safe_open(paths[-1], framework="pt") as handle:
        return step, {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
