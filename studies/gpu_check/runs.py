"""Whole training runs in processes of their own: killed and resumed, on two GPUs, and as the pipeline's stages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file

from anomend.project.files import sha256_of
from studies.gpu_check.rows import SHORT
from studies.rehearsal.child import ROOT, run_child

WEIGHTS = Path("lora") / "pytorch_lora_weights.safetensors"
DISK = 24e9
"""Bytes that the stages need: a random base of 16 GB, with room for what they write."""


class NotPossible(Exception):
    """A row that this machine cannot have; the message says why."""


def kill_and_resume(*, base: str, tiny: bool, device: torch.device) -> dict[str, Any]:
    """A run that is killed after its first checkpoint and resumed, against one that is not: the LoRAs' difference."""
    changes = {"steps": 60 if tiny else 12, "checkpoint_every": 2, "class_batch_size": 0, "batch_size": 1}
    changes |= {"gradient_checkpointing": not tiny}
    with TemporaryDirectory() as name:
        whole, killed = (Path(name) / run for run in ("whole", "killed"))
        _train(whole, base=base, changes=changes, tiny=tiny, device=device)
        checkpoints = killed / "checkpoints"
        _train(
            killed,
            base=base,
            changes=changes,
            tiny=tiny,
            device=device,
            kill_when=lambda: any(checkpoints.glob("state-*.safetensors")),
        )
        resumed = _train(killed, base=base, changes=changes, tiny=tiny, device=device)
        if not resumed["resumed_after"]:
            raise ValueError("the killed run began anew, although it had saved a checkpoint")
        return {"steps": changes["steps"], "resumed_after": resumed["resumed_after"], **_compared(whole, killed)}


def two_processes(*, base: str, tiny: bool, device: torch.device) -> dict[str, Any]:
    """The same run on one process and on two, each with a GPU of its own: the LoRAs' difference, and seconds a step."""
    if device.type == "cuda" and torch.cuda.device_count() < 2:
        raise NotPossible("there is one GPU here")
    config = "two_cpus" if device.type == "cpu" else "gpus"
    launcher = ["accelerate.commands.accelerate_cli", "launch"]
    launcher += ["--config_file", str(ROOT / f"configs/accelerate/{config}.yaml"), "--num_processes", "2", "-m"]
    changes = {"steps": 8, "class_batch_size": 0, "batch_size": 4}
    with TemporaryDirectory() as name:
        one, two = (Path(name) / run for run in ("one", "two"))
        alone = _train(one, base=base, changes=changes, tiny=tiny, device=device)
        shared = _train(two, base=base, changes=changes, tiny=tiny, device=device, launcher=launcher)
        seconds = {"seconds_per_step": shared["seconds_per_step"], "seconds_alone": alone["seconds_per_step"]}
        return {**seconds, **_compared(one, two)}


def stages(*, tiny: bool, device: torch.device) -> dict[str, Any]:
    """The pipeline's stages on a random base from disk: `make rehearsal`, on this device and at 1024 pixels."""
    # What the stages import is more than the other rows need.
    from studies.rehearsal.run import rehearse

    with TemporaryDirectory() as name:
        folder = Path(name)
        if not tiny and shutil.disk_usage(folder).free < DISK:
            raise NotPossible(f"{folder} has less than {DISK / 1e9:.0f} GB free")
        size = {"resolution": 64} if tiny else {"resolution": 1024, "max_sequence_length": 256}
        changes = {"base": {"device": device.type, **size}, "train": {"steps": 60 if tiny else 8}}
        metrics = rehearse(folder, folder / "base", "shrunk" if tiny else "true", changes)
        return {name: metrics[name] for name in metrics if name not in ("parameters", "provenance")}


def _train(
    folder: Path,
    *,
    base: str,
    changes: dict[str, Any],
    tiny: bool,
    device: torch.device,
    launcher: list[str] | None = None,
    kill_when: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Train in a process; returns what it noted, nothing where it was killed."""
    folder.mkdir(exist_ok=True)
    work = {"folder": str(folder), "base": base, "tokens": SHORT, "changes": changes}
    words = [*(launcher or []), "studies.gpu_check.training", json.dumps({**work, "tiny": tiny, "device": device.type})]
    run_child(name=folder.name, words=words, cwd=folder, kill_when=kill_when)
    noted: dict[str, Any] = {} if kill_when else json.loads((folder / "run.json").read_text())
    return noted


def _compared(one: Path, two: Path) -> dict[str, Any]:
    first, second = (load_file(folder / WEIGHTS) for folder in (one, two))
    return {
        "same_bytes": sha256_of(one / WEIGHTS) == sha256_of(two / WEIGHTS),
        "largest_difference": max(float((first[name] - second[name]).abs().max()) for name in first),
        "largest_weight": max(float(value.abs().max()) for value in first.values()),
    }
