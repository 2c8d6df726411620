"""The fingerprints of the stages' code, as stage `resolve` wrote them down."""

from __future__ import annotations

from pathlib import Path

from anomend.project.paths import CODE
from anomend.project.yaml_files import read_yaml


def recorded_fingerprint(stage: str, folder: Path = Path()) -> str:
    """The fingerprint of a stage's code.

    Args:
        stage: its name in dvc.yaml, without what a matrix adds to it.
        folder: the project's root.

    Raises:
        ValueError: stage `resolve` has not run, or does not know the stage.
    """
    recorded = read_yaml(folder / CODE)
    if stage not in recorded:
        raise ValueError(f"{CODE} does not have stage {stage}: run `dvc repro resolve`")
    return str(recorded[stage])
