"""Parameters of what comes after sampling: measuring, comparing, the verdict, judges, people, and the report."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from anomend.params.images import Dollars
from anomend.params.types import RUN_SETTING, AnatomyDetector, RequestParams, Section, Seed, Text


class MeasureParams(Section):
    """What is measured on each set of samples."""

    detector: AnatomyDetector = Field(
        description="Detector of anomalies. drawn_people: the miniature's checker. photographs: whether people, bodies "
        "and hands are visible (`make photograph-models`); gives no verdict. objects:MODEL@PIN, "
        "segformer:FOLDER@SHA256, endpoint:URL#FORM: your own detector "
        "(docs/anatomy_detectors.md). none: no detector, no anomaly rate."
    )
    extractor: Literal["efficientnet_lite0", "inception", "dinov2", "clip"] = Field(
        description="Feature extractor of the distances."
    )
    further_extractors: list[Literal["efficientnet_lite0", "inception", "dinov2", "clip"]] = Field(
        [], description="Further extractors for the same distances; one that is not available gives null and a reason."
    )
    perceptual: list[Literal["efficientnet_lite0", "lpips_alex", "lpips_vgg"]] = Field(
        ["efficientnet_lite0"], description="Networks of the perceptual distances; lpips_* need torchvision."
    )
    within_set_images: int = Field(ge=2, description="Images per prompt used for SSIM, PSNR, diversity, perceptual.")
    batch_size: int = Field(
        json_schema_extra=RUN_SETTING,
        ge=1,
        description="Images per forward pass of extractors and perceptual networks.",
    )

    @model_validator(mode="after")
    def _each_once(self) -> MeasureParams:
        networks: dict[str, list[str]] = {
            "further_extractors": [self.extractor, *self.further_extractors],
            "perceptual": [*self.perceptual],
        }
        for name, chosen in networks.items():
            twice = [each for each in chosen if chosen.count(each) > 1]
            if twice:
                raise ValueError(f"measure.{name} holds {twice[0]!r}, which is measured anyway: list it once")
        return self


Share = Annotated[float, Field(gt=0, lt=1)]
"""A share of images that can be shown or excluded: no number of images shows that a rate is exactly 0 or 1."""
Margin = Annotated[float, Field(gt=0, le=0.5)]
"""A margin of rates; a larger one would be toothless."""


MOST_LOOKS = 20
"""Further looks save next to no images."""


class CompareParams(Section):
    """The paired comparison of tuned and base."""

    seed: Seed = Field(description="Seed of bootstrap and permutations.")
    resamples: int = Field(
        ge=100, description="Bootstrap resamples; also permutations, where there are too many to list."
    )
    confidence: float = Field(ge=0.8, le=0.999, description="Level of the intervals.")


class VerdictParams(Section):
    """Pre-registered thresholds: set before the run that they judge."""

    evidence: Literal["detector", "people", "people+machine"] = Field(
        description="What decides about anomalies. detector: measure.detector on all samples. people: their labels of "
        "single pictures, with the raters' errors in the bounds. people+machine: the same, with the detector's answers "
        "on the other pictures as far as they help (docs/people.md)."
    )
    level: float = Field(ge=0.9, le=0.9999, description="Confidence of each clause: it errs in at most 1 - level.")
    looks: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        description="Shares of the seeds, rising to 1, after which the clauses are looked at: sampling stops as soon "
        "as the verdict is settled, and a prompt's as soon as no clause needs it. [1.0]: once, at all seeds.",
    )
    min_target_drop: Share = Field(description="The target anomaly rate must fall by at least this.")
    max_target_rate: Share = Field(description="The tuned model's target anomaly rate must not exceed this.")
    worst_target_margin: Margin = Field(
        description="By how much the rate of a single target prompt may exceed max_target_rate."
    )
    held_out_margin: Margin = Field(description="The held-out anomaly rate must rise by less than this.")
    worst_held_out_rise: Margin = Field(description="Each held-out prompt's anomaly rate must rise by less than this.")
    max_kind_rise: Margin = Field(description="No kind of anomaly may rise by this on the target prompts.")
    min_diversity_ratio: float = Field(
        gt=0, le=1, description="Diversity of the right images, tuned over base, must reach this."
    )
    max_copy_rate: Share = Field(description="Largest share of target samples that may copy an instance image.")
    min_preference: Share | None = Field(
        None,
        description="The share of the survey's votes for the tuned image must exceed this, such as 0.5; null: the "
        "survey decides nothing.",
    )

    @field_validator("looks")
    @classmethod
    def _rising_to_one(cls, looks: list[float]) -> list[float]:
        if not looks or looks[-1] != 1 or any(after <= before for before, after in pairwise(looks)):
            raise ValueError(f"{looks} must rise and end with 1.0, such as [0.2, 0.4, 0.6, 0.8, 1.0]")
        if len(looks) > MOST_LOOKS:
            raise ValueError(
                f"{len(looks)} looks are too many: {MOST_LOOKS} at most, for each takes its share of error"
            )
        return looks


class JudgeModelParams(Section):
    """The model of each paid judge; its price is in data/prices.csv."""

    anthropic: Text = Field(description="Model of the judge `anthropic`.")
    openai: Text = Field(description="Model of the judge `openai`.")


class JudgeParams(Section):
    """LLM judges, and their offline substitute."""

    judges: list[Literal["anatomy", "anthropic", "openai"]] = Field(
        description="Judges to ask, or none; anatomy: offline, by measure.detector; the others cost money.",
    )
    pairs_per_prompt: int = Field(ge=1, description="Pairs per target prompt.")
    repeats: int = Field(ge=1, description="Times that each order of a pair is judged.")
    seed: Seed = Field(description="Seed that draws the pairs.")
    models: JudgeModelParams
    parts: AnatomyDetector = Field(
        description="Detector of head, arms, hands and legs; paid judges then also judge each part in crops; "
        "drawn_people, photographs or none; about four times the cost."
    )
    label_pairs_per_prompt: int = Field(
        ge=0, description="Pairs per target prompt of which paid judges label both pictures, each by itself; 0: none."
    )
    label_held_out_pairs_per_prompt: int = Field(ge=0, description="Pairs per held-out prompt, likewise.")
    image_size: int = Field(ge=64, le=2048, description="Longer side at which images are sent, pixels.")
    max_tokens: int = Field(ge=200, le=32_000, description="Most tokens per answer, thinking included.")
    max_usd: Dollars = Field(
        json_schema_extra=RUN_SETTING,
        description="Most that each paid judge may cost in total, dollars; ANOMEND_ALLOW_SPEND=1 allows spending.",
    )
    batch: bool = Field(description="Use the batch API of paid judges: half the price, answers within a day.")
    poll_s: float = Field(
        json_schema_extra=RUN_SETTING, gt=0, le=3600, description="Seconds between two checks of a batch."
    )
    requests: RequestParams

    @model_validator(mode="after")
    def _someone_labels(self) -> JudgeParams:
        if self.label_pairs_per_prompt + self.label_held_out_pairs_per_prompt and not {*self.judges} - {"anatomy"}:
            raise ValueError(
                "judge.label_pairs_per_prompt asks paid judges, and judge.judges names none: add anthropic or openai, "
                "or set it to 0"
            )
        return self


class ReportParams(Section):
    """The report."""

    pairs_per_prompt: int = Field(ge=1, le=64, description="Pairs of a base and a tuned image shown per prompt.")
    title: str = Field(min_length=1, description="Heading of the report.")
