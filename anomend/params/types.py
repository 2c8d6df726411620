"""What the sections of parameters are made of."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

Prompt = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Rate = Annotated[float, Field(ge=0, le=1)]


def _refuse_old_word(value: Any) -> Any:
    if value == "figures":
        raise ValueError("'figures' is now called 'drawn_people': write that")
    return value


NotFigures = BeforeValidator(_refuse_old_word)
"""Refuses the former name of the detector and the source `drawn_people`."""
AnatomyDetector = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(:\S+)?$"), NotFigures]
"""A detector of `anomend.detectors.table`, by its name there; stage `resolve` checks that it can be used."""
Seed = Annotated[int, Field(ge=0, lt=2**31)]


RUN_SETTING: dict[str, Any] = {"run_setting": True}
"""Marks a parameter that decides how a run is carried out and changes no result beyond its rounding: where a batch is
cut, the device, compilation, waiting times. No stage depends on it (`anomend.params.resolved`)."""


class Section(BaseModel):
    """A section refuses keys that it does not know, so that a misspelt parameter is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value_as_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads `yes`, `on` and `off` as truth values, which pydantic would take for 1 and 0."""
        if isinstance(value, bool) and bool not in _types_in(cls.model_fields[str(info.field_name)].annotation):
            raise ValueError(f"{str(value).lower()} is not allowed here: write a number or a text")
        return value


def _types_in(annotation: Any) -> set[Any]:
    return {annotation}.union(*map(_types_in, get_args(annotation))) if isinstance(annotation, Hashable) else set()


class RequestParams(Section):
    """How a paid API is called."""

    concurrency: int = Field(json_schema_extra=RUN_SETTING, ge=1, le=64, description="Requests in flight at once.")
    timeout_s: float = Field(
        json_schema_extra=RUN_SETTING, gt=0, le=3600, description="Most seconds that an answer may take."
    )
    attempts: int = Field(
        json_schema_extra=RUN_SETTING, ge=1, le=20, description="Most attempts per request when failures are temporary."
    )
    first_wait_s: float = Field(
        json_schema_extra=RUN_SETTING,
        ge=0,
        le=60,
        description="Seconds before the second attempt, doubled each time; a server may ask for more.",
    )


_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}


def bounds(field: FieldInfo) -> str:
    """What a number may be, such as "at least 1, at most 1024"; empty where nothing bounds it."""
    limits = [
        f"{words} {getattr(bound, name)}"
        for bound in [*field.metadata, *_within(field.annotation)]
        for name, words in _BOUNDS.items()
        if getattr(bound, name, None) is not None
    ]
    return ", ".join(dict.fromkeys(limits))


def _within(annotation: Any) -> list[Any]:
    """Bounds in a type that may also be null, which belong to the type and not to the field."""
    nested = [meta for inner in get_args(annotation) for meta in getattr(inner, "__metadata__", ())]
    return [bound for meta in nested for bound in ([*meta.metadata] if isinstance(meta, FieldInfo) else [meta])]
