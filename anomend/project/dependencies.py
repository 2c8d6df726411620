"""The fingerprints of the stages' code, and the digests of their inputs, as stage `resolve` wrote them down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anomend.project.paths import CODE, INPUTS


def recorded_fingerprint(stage: str, folder: Path = Path()) -> str:
    """The fingerprint of a stage's code.

    Args:
        stage: its name in dvc.yaml, without what a matrix adds to it.
        folder: the project's root.

    Raises:
        ValueError: stage `resolve` has not run, or does not know the stage.
    """
    try:
        recorded = json.loads((folder / CODE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        recorded = {}
    if stage not in recorded:
        raise ValueError(f"{CODE} does not have stage {stage}: run `dvc repro resolve`")
    return str(recorded[stage])


def recorded_inputs(section: str, folder: Path = Path()) -> dict[str, Any]:
    """The digests of the files and folders that a section of the parameters names; empty where it names none.

    Args:
        section: of resolved/inputs.json, such as `measure`.
        folder: the project's root.
    """
    try:
        recorded = json.loads((folder / INPUTS).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    found: dict[str, Any] = recorded.get(section) or {}
    return found
