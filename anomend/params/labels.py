"""Parameters of stage `label`: people say of single pictures what is wrong with the body."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from anomend.params.types import Section, Seed

Language = Literal["en", "de", "ko"]


class LabelParams(Section):
    """Labels of single pictures by people: which pictures are drawn, who sees which, and whose answers count."""

    labels: str = Field(description="Folder with the committed labels.")
    gold: str | None = Field(
        description="Folder with gold pictures, whose answer is known, and a table gold.csv (file, answer: nothing or "
        "wrong); every rater sees all of them."
    )
    pairs_per_prompt: int = Field(ge=1, description="Pairs per target prompt of which both pictures are labelled.")
    held_out_pairs_per_prompt: int = Field(ge=0, description="Pairs per held-out prompt and per sibling, likewise.")
    raters: int = Field(ge=1, le=1000, description="Number of raters; each has a link and a balanced share.")
    raters_per_picture: int = Field(ge=1, description="How many of the raters see each picture.")
    repeats: int = Field(
        ge=0, description="Pictures that each rater sees twice; at most one for every two pairs of the rater's share."
    )
    seed: Seed = Field(
        description="Seed of all draws; if equal to judge.seed, the pairs are those that judges see, as far as both go."
    )
    languages: list[Language] = Field(
        min_length=1,
        description="Languages of the page: en, de, ko; the first is shown where the browser asks for none.",
    )
    max_failed_gold: int = Field(ge=0, description="Raters who fail more gold pictures than this are excluded.")
    min_median_ms: int = Field(ge=0, description="Raters whose median answer is faster are excluded; ms.")

    @model_validator(mode="after")
    def _enough_raters(self) -> LabelParams:
        if self.raters_per_picture > self.raters:
            raise ValueError(
                f"raters_per_picture = {self.raters_per_picture} is more than raters = {self.raters}: invite more "
                "raters, or show each picture to fewer"
            )
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("languages names a language twice: name each once")
        return self
