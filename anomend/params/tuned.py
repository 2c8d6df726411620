"""Parameters of how the tuned model alone is sampled: what helps a base without any training, or helps a LoRA."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from anomend.params.types import AnatomyDetector, Prompt, Section, Seed

SEEDS_PER_TRY = 10_000
"""Seeds from one try of `best_of` to the next: images of a prompt have at most as many."""


class BestOfParams(Section):
    """Each image is drawn up to n times, until the detector finds no anomaly."""

    n: Annotated[int, Field(ge=2, le=100)] | None = Field(
        default=None,
        description="Most images drawn for one that is kept; where the detector accepts none of them, the first with "
        "the fewest anomalies is kept. null: each image is drawn once.",
    )
    detector: AnatomyDetector = Field(
        default="none", description="Detector that chooses; choices as in measure.detector; none where n is null."
    )
    first_seed: Seed = Field(
        default=1_000_000,
        description="Seed of the first try of the first image; the images of a prompt count up, and each further try "
        "begins 10,000 seeds later. Separate from all others.",
    )


class SkipLayersParams(Section):
    """Skip-layer guidance, as diffusers' pipeline has it: away from what the model draws without some of its blocks."""

    layers: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = Field(
        default=None,
        description="Blocks of the transformer to leave out, counted from 0; [7, 8, 9] for Stable Diffusion 3.5 "
        "Medium; null: no such guidance.",
    )
    scale: float = Field(default=2.8, gt=0, le=100, description="Strength of the guidance.")
    start: float = Field(default=0.01, ge=0, lt=1, description="Share of the steps after which it begins.")
    stop: float = Field(default=0.2, gt=0, le=1, description="Share of the steps before which it ends.")

    def guided_steps(self, steps: int) -> int:
        """How many of so many sampling steps have the guidance: those i, from 0, with start < i / steps < stop."""
        return sum(steps * self.start < step < steps * self.stop for step in range(steps)) if self.layers else 0

    @model_validator(mode="after")
    def _consistent(self) -> SkipLayersParams:
        if self.start >= self.stop:
            raise ValueError(f"start = {self.start:g} is not below stop = {self.stop:g}: change one of them")
        if repeated := sorted({layer for layer in self.layers or () if (self.layers or []).count(layer) > 1}):
            raise ValueError(f"layers names {repeated[0]} twice: list it once")
        return self


class TunedParams(Section):
    """How the tuned model alone is sampled, with a LoRA or, with `train.method: none`, without one."""

    negative_prompt: Prompt | None = Field(
        default=None, description="What guidance leads away from; null: the empty prompt, as for the base."
    )
    best_of: BestOfParams = Field(default=BestOfParams())
    skip_layers: SkipLayersParams = Field(default=SkipLayersParams())

    @property
    def guided(self) -> bool:
        """Whether its guidance is not the base's."""
        return self.negative_prompt is not None or self.skip_layers.layers is not None

    @property
    def in_use(self) -> bool:
        """Whether anything here is set."""
        return self.guided or self.best_of.n is not None
