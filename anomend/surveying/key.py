"""The key of a survey: what stood behind every trial of every participant."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError


class KeyTrial(BaseModel):
    """One trial, unblinded; the meaning of the fields is that of `responses.COLUMNS`."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    pair: str
    prompt: str
    seed: int
    left_model: Literal["base", "tuned"]
    kind: Literal["real", "repeat", "catch"]


class SurveyKey(BaseModel):
    """Which survey it is, and the trials of each participant by code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    survey: str
    participants: dict[str, tuple[KeyTrial, ...]]


def write_key(path: Path, key: SurveyKey) -> None:
    """Write the key as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(key.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_key(path: Path) -> SurveyKey:
    """Read a key.

    Raises:
        ValueError: the file is missing or is no key.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing: run `dvc repro survey`")
    try:
        return SurveyKey.model_validate_json(path.read_bytes())
    except ValidationError:
        raise ValueError(f"{path} is no key of a survey: run `dvc repro survey`") from None
