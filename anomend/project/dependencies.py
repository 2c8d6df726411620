"""The fingerprints of the stages' code, as stage `resolve` wrote them down."""

from __future__ import annotations

import json
from pathlib import Path

from anomend.project.paths import CODE


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
