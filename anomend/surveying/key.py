"""The keys that unblind what people see: which model drew the images of the survey, which picture a rater labels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

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
    """The name of a survey, versions of question and consent by language, and each participant's trials by code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    survey: str
    texts: dict[str, str]
    consents: dict[str, str]
    participants: dict[str, tuple[KeyTrial, ...]]


class KeyPicture(BaseModel):
    """One picture that a rater labels, unblinded; fields as in `anomend.labelling.records.COLUMNS`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    picture: str
    showing: Literal[0, 1]
    gold: Literal["", "nothing", "wrong"]


class LabelKey(BaseModel):
    """The name of a design of labels, the version of the question by language, and each rater's pictures by code."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    design: str
    texts: dict[str, str]
    raters: dict[str, tuple[KeyPicture, ...]]


Key = TypeVar("Key", SurveyKey, LabelKey)
STAGES: dict[type[BaseModel], str] = {SurveyKey: "survey", LabelKey: "label"}
"""The stage that writes a key."""


def write_key(path: Path, key: SurveyKey | LabelKey) -> None:
    """Write the key as JSON."""
    write_whole(path, key.model_dump_json(indent=1) + "\n")


def read_key(path: Path, kind: type[Key] = SurveyKey) -> Key:  # type: ignore[assignment]
    """Read a key.

    Raises:
        ValueError: the file is missing or is not a key of this kind.
    """
    stage = STAGES[kind]
    if not path.exists():
        raise ValueError(f"{path} is missing: run `dvc repro {stage}`")
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError:
        raise ValueError(f"{path} is not the key of stage {stage}: run `dvc repro {stage}`") from None
