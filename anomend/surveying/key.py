"""The key of a survey: which model drew the images in every trial of every participant."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from anomend.project.files import write_whole


class KeyTrial(BaseModel):
    """One trial, unblinded; fields as in `responses.COLUMNS`."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    pair: str
    prompt: str
    seed: int
    left_model: Literal["base", "tuned"]
    kind: Literal["real", "repeat", "catch"]


class SurveyKey(BaseModel):
    """The name of a survey, and the trials of each participant by code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    survey: str
    participants: dict[str, tuple[KeyTrial, ...]]


def write_key(path: Path, key: SurveyKey) -> None:
    """Write the key as JSON."""
    write_whole(path, key.model_dump_json(indent=1) + "\n")


def read_key(path: Path) -> SurveyKey:
    """Read a key.

    Raises:
        ValueError: the file is missing or is not a key.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing: run `dvc repro survey`")
    try:
        return SurveyKey.model_validate_json(path.read_bytes())
    except ValidationError:
        raise ValueError(f"{path} is not the key of a survey: run `dvc repro survey`") from None
