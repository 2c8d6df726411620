"""Parameters of what comes after sampling: measuring, comparing, the verdict, judges, people, and the report."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from anomend.params.images import Dollars
from anomend.params.types import RUN_SETTING, AnatomyDetector, Rate, RequestParams, Section, Seed, Text


class MeasureParams(Section):
    """What is measured on each set of samples."""

    detector: AnatomyDetector = Field(
        description="Detector of anomalies; drawn_people: the miniature's checker; photographs: whether people, bodies "
        "and hands can be made out (`make photograph-models`), on which no verdict rests; objects:MODEL@PIN: a "
        "detector of anomalies of your own (docs/anatomy_detectors.md); none: no detector, no anomaly rate."
    )
    extractor: Literal["efficientnet_lite0", "inception", "dinov2", "clip"] = Field(
        description="Feature extractor of the distances."
    )
    further_extractors: list[Literal["efficientnet_lite0", "inception", "dinov2", "clip"]] = Field(
        [], description="Extractors that the same is measured by besides; null with a reason where one is not here."
    )
    perceptual: list[Literal["efficientnet_lite0", "lpips_alex", "lpips_vgg"]] = Field(
        ["efficientnet_lite0"], description="Networks of the perceptual distances; lpips_* need torchvision."
    )
    within_set_images: int = Field(ge=2, description="Images a prompt that enter SSIM, PSNR, diversity, perceptual.")
    batch_size: int = Field(
        json_schema_extra=RUN_SETTING, ge=1, description="Images a forward pass of extractors and perceptual networks."
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


class CompareParams(Section):
    """The paired comparison of tuned and base."""

    seed: Seed = Field(description="Seed of bootstrap and permutations.")
    resamples: int = Field(ge=100, description="Bootstrap resamples, and permutations where all cannot be listed.")
    confidence: float = Field(gt=0.5, lt=1, description="Level of the intervals.")


class VerdictParams(Section):
    """Pre-registered thresholds: set before the run that they judge."""

    min_target_drop: Rate = Field(description="The target anomaly rate must fall by at least this.")
    max_target_rate: Rate = Field(description="The tuned model's target anomaly rate must not exceed this.")
    held_out_margin: Rate = Field(description="The held-out anomaly rate may rise by less than this.")
    min_diversity_ratio: float = Field(ge=0, description="Tuned diversity over base diversity must reach this.")
    max_copy_rate: Rate = Field(description="Share of target samples that copy an instance image, at most.")


class JudgeModelParams(Section):
    """The model of each paid judge; its price is in data/prices.csv."""

    anthropic: Text = Field(description="Model of the judge `anthropic`.")
    openai: Text = Field(description="Model of the judge `openai`.")


class JudgeParams(Section):
    """LLM judges, and their offline stand-in."""

    judges: list[Literal["anatomy", "anthropic", "openai"]] = Field(
        description="Judges to ask, or none; anatomy: offline, measure.detector's checker; the others cost money.",
    )
    pairs_per_prompt: int = Field(ge=1, description="Pairs a target prompt.")
    repeats: int = Field(ge=1, description="Times that each order of a pair is asked.")
    seed: Seed = Field(description="Seed of the pairs' choice.")
    models: JudgeModelParams
    parts: AnatomyDetector = Field(
        description="Detector of head, arms, hands and legs, which paid judges are then asked about too, each in crops "
        "of its own; drawn_people, photographs or none; about four times the cost."
    )
    image_size: int = Field(ge=64, le=2048, description="Longer side at which images are sent, pixels.")
    max_tokens: int = Field(ge=200, le=32_000, description="Tokens of an answer at most, its thinking included.")
    max_usd: Dollars = Field(
        json_schema_extra=RUN_SETTING,
        description="What each paid judge may cost in all, dollars; ANOMEND_ALLOW_SPEND=1 agrees.",
    )
    batch: bool = Field(description="Ask paid judges by their batch API: half the price, answers within a day.")
    poll_s: float = Field(
        json_schema_extra=RUN_SETTING, gt=0, le=3600, description="Seconds between two looks at a batch."
    )
    requests: RequestParams


class SurveyParams(Section):
    """Human judgement: the page that people answer, and the tally of their responses."""

    responses: str = Field(description="Folder with the committed responses.")
    participants: int = Field(ge=1, le=10_000, description="People who can be invited, each by a code of their own.")
    pairs_per_prompt: int = Field(ge=1, description="Pairs a target prompt; everybody judges all of them.")
    repeats: int = Field(ge=0, description="Pairs that everybody sees twice, sides changed; at most half.")
    catch_pairs: int = Field(ge=0, description="Obvious pairs, an image beside a damaged copy, to test attention.")
    seed: Seed = Field(
        description="Seed of everything that is drawn; at judge.seed people and judges look at the same pairs."
    )
    max_failed_catches: int = Field(
        ge=0, description="Participants who fail more of the catch pairs than this are left out."
    )
    min_median_ms: int = Field(ge=0, description="Participants whose median reaction is faster are left out; ms.")
    title: Text = Field(description="Heading of the page.")
    question: Text = Field(description="What is asked of every pair.")
    consent: Text = Field(description="What participants agree to; an empty line parts paragraphs.")


class ReportParams(Section):
    """The report."""

    pairs_per_prompt: int = Field(ge=1, le=64, description="Base | tuned pairs shown a prompt.")
    title: str = Field(min_length=1, description="Heading of the report.")
