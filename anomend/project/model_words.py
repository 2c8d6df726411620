"""What the two models that are compared are called in sentences: base and tuned model, or model A and model B."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEY = "names"
"""In metrics/sample_tuned.json, where the two are not base and tuned: what tables call them, by `base` and `tuned`."""


@dataclass(frozen=True, kw_only=True)
class ModelWords:
    """Words for the two models; metric files and columns of data name them `base` and `tuned` all the same."""

    base: str = "base"
    """In the head of a table."""
    tuned: str = "tuned"
    base_model: str = "the base model"
    """In a sentence."""
    tuned_model: str = "the tuned model"
    the_base: str = "the base"
    tuneds: str = "tuned"
    """Before a noun that has no article."""
    the_tuneds: str = "the tuned"
    """Before a noun that would have one."""

    @property
    def bases(self) -> str:
        """The first model before a noun."""
        return f"{self.the_base}'s"

    def short(self, model: str) -> str:
        """The head of a table for `base` or `tuned`."""
        return self.base if model == "base" else self.tuned

    def heads(self) -> tuple[str, str]:
        """Both, as they begin a column."""
        return self.base[0].upper() + self.base[1:], self.tuned[0].upper() + self.tuned[1:]

    def full(self, model: str) -> str:
        """`base` or `tuned` as `... model`."""
        return f"{self.short(model)} model" if self == BASE_AND_TUNED else f"model {self.short(model)}"


BASE_AND_TUNED = ModelWords()
A_AND_B = ModelWords(
    base="A",
    tuned="B",
    base_model="model A",
    tuned_model="model B",
    the_base="model A",
    tuneds="model B's",
    the_tuneds="model B's",
)
"""Where the base side has a LoRA too (`sample.against`)."""


def words_for(*, against: bool) -> ModelWords:
    """The words of a run; `against`: whether the base side has a LoRA."""
    return A_AND_B if against else BASE_AND_TUNED


def words_in(sampled: Mapping[str, Any] | None) -> ModelWords:
    """The words of a run by the content of metrics/sample_tuned.json."""
    return words_for(against=bool((sampled or {}).get(KEY)))


def capital(words: str) -> str:
    """The words as the beginning of a sentence."""
    return words[:1].upper() + words[1:]
