"""Resumable training state: named tensors and a step, written atomically as safetensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from anomend.project.files import written_whole

_NAME = "state-{step:07d}.safetensors"
_SCHEDULED = ("lr", "initial_lr")
"""Settings of an optimizer's groups that the schedule sets, and a checkpoint need not hold."""


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str = "optimizer") -> dict[str, torch.Tensor]:
    """The optimizer's state as flat named tensors.

    Returns:
        `prefix/<parameter index>/<key>` for its state, and `prefix/group<index>/<key>` for the numbers that it keeps
        per group, such as Prodigy's estimate of the learning rate.
    """
    tensors = {
        f"{prefix}/{index}/{key}": value if torch.is_tensor(value) else torch.tensor(value)
        for index, entries in optimizer.state_dict()["state"].items()
        for key, value in entries.items()
    }
    for index, group in enumerate(optimizer.param_groups):
        for key, value in group.items():
            if _is_number(value) and key not in _SCHEDULED:
                tensors[f"{prefix}/group{index}/{key}"] = torch.tensor(
                    value, dtype=torch.float64 if isinstance(value, float) else torch.int64
                )
    return tensors


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], prefix: str = "optimizer"
) -> None:
    """Put back the tensors of `optimizer_tensors`; other tensors are ignored, and learning rates do not change."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    groups = optimizer.state_dict()["param_groups"]
    for name, value in tensors.items():
        if not name.startswith(f"{prefix}/"):
            continue
        _, index, key = name.rsplit("/", 2)
        if index.startswith("group"):
            groups[int(index.removeprefix("group"))][key] = value.item()
        else:
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def save_checkpoint(folder: Path, step: int, tensors: Mapping[str, torch.Tensor]) -> Path:
    """Write a checkpoint and delete older ones; a kill at any moment leaves a whole one behind.

    Args:
        folder: where the run keeps its checkpoints.
        step: optimizer steps done.
        tensors: everything that the next step depends on.

    Returns:
        The checkpoint's path.

    Raises:
        OSError: the disk is full or the folder cannot be written; the previous checkpoint is then still there.
    """
    path = folder / _NAME.format(step=step)
    with written_whole(path) as partial:
        try:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, partial)
        except SafetensorError as error:
            raise OSError(f"{path} could not be written ({error}): free some space, then run again") from error
    # Also what a killed run left half written, under the name of its process.
    for other in [*checkpoints_in(folder), *folder.glob(".state-*.part")]:
        if other != path:
            other.unlink()
    return path


def load_checkpoint(folder: Path) -> tuple[int, dict[str, torch.Tensor]] | None:
    """The newest checkpoint of a folder as (steps done, tensors), or None where there is none.

    Raises:
        ValueError: it is broken.
    """
    paths = checkpoints_in(folder)
    if not paths:
        return None
    try:
        with safe_open(paths[-1], framework="pt") as handle:
            return steps_of(paths[-1]), {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{paths[-1]} is broken ({error}): delete it, and training starts at step 0") from None


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a folder, the newest last; files with other names, such as copies, are none."""
    return sorted(path for path in folder.glob("state-*.safetensors") if steps_of(path) >= 0)


def steps_of(checkpoint: Path) -> int:
    """Optimizer steps that a checkpoint was written after; -1 for another file."""
    number = re.fullmatch(r"state-(\d{7,})\.safetensors", checkpoint.name)
    return int(number[1]) if number else -1
