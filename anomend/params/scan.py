"""Parameters of the scan: which prompts does the base draw wrong?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from anomend.params.types import Rate, Section, Seed, Text

LEAST_LABELLED = 4


class FreshParams(Section):
    """Images at seeds that decided nothing, by which the rates of what a scan found are reported."""

    seeds_per_prompt: int = Field(ge=1, le=10_000, description="Images of each prompt that was found wrong.")
    first_seed: Seed = Field(description="Seed of the first one; apart from all other seeds.")


class ScanParams(Section):
    """`make scan`: samples the base in rounds to find which prompts of a suite it draws wrong."""

    suite: Text = Field(
        description="The prompts: a grammar (.yaml), whose combinations are all scanned, or a list (.csv) with a "
        "column `prompt` and one column per factor, such as pose and place."
    )
    evidence: Literal["detector", "people", "people+machine"] = Field(
        default="detector",
        description="What tells anomalous images from right ones: `measure.detector`; people, who label what a scan "
        "asks for (docs/scan.md), where `label` says how many of them and whose labels count; or people+machine: "
        "people, who label some of the images, which the detector helps to choose.",
    )
    images_per_label: int = Field(
        default=8,
        ge=2,
        le=100,
        description="Where scan.evidence is people+machine: of so many images of a round people see one, and the "
        "detector all.",
    )
    limit: Rate = Field(gt=0, lt=1, description="A prompt is wrong if its anomaly rate is shown to be above this.")
    worth: Rate = Field(
        gt=0, lt=1, description="A prompt is fine, and sampled no further, once its rate is shown to be below this."
    )
    error: float = Field(
        ge=1e-4,
        le=0.2,
        description="Expected share of prompts that are not wrong among those that are called so; and the chance that "
        "a prompt whose rate is `worth` or more is called fine.",
    )
    seeds_per_round: int = Field(ge=1, le=1000, description="Images of each unsettled prompt in a round.")
    most_seeds: int = Field(ge=1, le=10_000, description="Images after which a prompt stays unsettled.")
    first_seed: Seed = Field(description="Seed of the first image of each prompt.")
    held_out: int = Field(ge=1, le=1000, description="Held-out prompts that are proposed with the target prompts.")
    siblings: int = Field(
        default=2,
        ge=0,
        le=1000,
        description="Siblings (the same pose elsewhere) that are proposed as prompts.siblings; as many others or more "
        "are left to be held out.",
    )
    fresh: FreshParams

    @property
    def asks_people(self) -> bool:
        """Whether people label images."""
        return self.evidence != "detector"

    @model_validator(mode="after")
    def _apart(self) -> ScanParams:
        if self.worth <= self.limit:
            raise ValueError(
                f"scan.worth = {self.worth:g} must be above scan.limit = {self.limit:g}: between the two, a prompt may "
                "be called either"
            )
        if self.most_seeds % self.seeds_per_round:
            raise ValueError(
                f"scan.most_seeds = {self.most_seeds} must be a multiple of scan.seeds_per_round = "
                f"{self.seeds_per_round}: rounds are whole"
            )
        if self.evidence == "detector":
            return self
        group = self.images_per_label if self.evidence == "people+machine" else 1
        for name, count, each in (
            ("seeds_per_round", self.seeds_per_round, group),
            ("fresh.seeds_per_prompt", self.fresh.seeds_per_prompt, 1),
        ):
            if count % (2 * each) or count < LEAST_LABELLED * each:
                raise ValueError(
                    f"scan.{name} = {count} must be {LEAST_LABELLED * each} or more, and a multiple of {2 * each}, "
                    f"where scan.evidence is {self.evidence}: a rater sees pictures in pairs"
                    + (f", one of scan.images_per_label = {each}" if each > 1 else "")
                )
        return self
