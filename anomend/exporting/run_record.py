"""Whether a LoRA, the parameters and the results on disk belong to one run, by DVC's own record of it (dvc.lock).

After `dvc repro train` alone, for example, the results on disk are still those of the LoRA before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Lock = Mapping[str, Any]
"""Content of dvc.lock."""

MODELS, COMPARE = ("base", "tuned"), "metrics/compare.json"
LINKS = (
    ("train", "models/lora", "sample_tuned"),
    *((f"sample_{model}", f"metrics/sample_{model}.json", f"measure@{model}") for model in MODELS),
    *((f"sample_{model}", f"metrics/sample_{model}.json", "compare") for model in MODELS),
    *((f"measure@{model}", f"metrics/plots/images_{model}.csv", "compare") for model in MODELS),
    *((f"measure@{model}", f"metrics/measure_{model}.json", "compare") for model in MODELS),
    ("compare", COMPARE, "verdict"),
)
"""From the LoRA to the verdict: the stage that wrote a path, the path, the stage that read it."""
RESULTS = (
    ("train", "metrics/train.json"),
    ("compare", COMPARE),
    ("verdict", "metrics/verdict.json"),
    ("sample_tuned", "metrics/sample_tuned.json"),
    *((f"measure@{model}", f"metrics/measure_{model}.json") for model in MODELS),
    ("measure@tuned", "metrics/plots/images_tuned.csv"),
)
"""The files that a card is written from: the stage that wrote each, and its path."""
PICTURE_LINKS = tuple((f"sample_{model}", f"metrics/sample_{model}.json", "report") for model in MODELS)


def check_parameters(lock: Lock, resolved: Mapping[str, Any], stages: Iterable[str]) -> None:
    """Refuse resolved parameters that differ from those that the stages ran with.

    Args:
        lock: content of dvc.lock.
        resolved: content of resolved/params.json.
        stages: names of stages.

    Raises:
        ValueError: a stage never ran, or ran with another value; the sentence names it.
    """
    for stage in stages:
        for key, recorded in _stage(lock, stage).get("params", {}).get("resolved/params.json", {}).items():
            value: Any = resolved
            for name in key.split("."):
                value = value.get(name) if isinstance(value, Mapping) else None
            if value != recorded:
                raise ValueError(f"{key} in resolved/params.json is not what stage {stage} ran with: run `dvc repro`")


def check_links(lock: Lock, links: Iterable[tuple[str, str, str]] = LINKS) -> None:
    """Refuse a record in which a stage read another version of a path than the one that is there now.

    Raises:
        ValueError: a stage never ran, or ran on another version of the path.
    """
    for producer, path, consumer in links:
        if _md5(lock, stage=producer, kind="outs", path=path) != _md5(lock, stage=consumer, kind="deps", path=path):
            raise ValueError(f"stage {consumer} ran on another {path} than stage {producer} wrote: run `dvc repro`")


def check_files(lock: Lock, root: Path, files: Iterable[tuple[str, str]] = RESULTS) -> None:
    """Refuse files that differ from what their stages wrote.

    Args:
        lock: content of dvc.lock.
        root: the project's folder.
        files: stage and path of each.

    Raises:
        FileNotFoundError, ValueError: one is missing, or differs.
    """
    for stage, path in files:
        recorded = _md5(lock, stage=stage, kind="outs", path=path)
        if not (root / path).exists():
            raise FileNotFoundError(f"{path} is missing: run `dvc repro`, or check it out")
        if hashlib.md5((root / path).read_bytes(), usedforsecurity=False).hexdigest() != recorded:
            raise ValueError(f"{path} is not what stage {stage} wrote by dvc.lock: run `dvc repro`, or check it out")


def _stage(lock: Lock, stage: str) -> Mapping[str, Any]:
    try:
        entry: Mapping[str, Any] = lock["stages"][stage]
    except KeyError:
        raise ValueError(f"dvc.lock has no run of stage {stage}: run `dvc repro`") from None
    return entry


def _md5(lock: Lock, *, stage: str, kind: str, path: str) -> str | None:
    """The recorded hash of a stage's dependency (`deps`) or output (`outs`); None if it does not have this path."""
    return next((entry["md5"] for entry in _stage(lock, stage).get(kind, []) if entry["path"] == path), None)
