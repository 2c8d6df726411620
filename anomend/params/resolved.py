"""The only reader of parameters: one pydantic model a section of params.yaml.

`params.yaml` holds `profile`, the sections, and `profiles.<name>` with the leaves that a profile changes. The `resolve`
stage merges and validates them into `params.resolved.yaml`, which every other stage reads through `load_params`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from anomend.params.evaluation import (
    CompareParams,
    JudgeParams,
    MeasureParams,
    ReportParams,
    SurveyParams,
    VerdictParams,
)
from anomend.params.images import CollectParams, CurateParams
from anomend.params.training import TrainParams
from anomend.params.types import AnatomyDetector, Prompt, Section, Seed, bounds
from anomend.project.slugs import slug

RESOLVED = Path("params.resolved.yaml")


class BaseModelParams(Section):
    """The model to correct."""

    name: Literal["mini", "sd3-medium", "sd3.5-medium", "sd3.5-large", "rehearsal"] = Field(
        description="Row of the table of supported bases."
    )
    local_folder: str | None = Field(None, description="Folder with the base in diffusers' layout; null: the table's.")
    resolution: int = Field(ge=16, le=2048, multiple_of=16, description="Side of training and sampled images, pixels.")
    max_sequence_length: int = Field(ge=1, le=512, description="Length of the T5 part of the text, everywhere.")
    device: Literal["auto", "cpu", "cuda"] = Field(description="Where models run; auto takes a GPU where there is one.")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(description="Precision of the frozen base.")


class PromptParams(Section):
    """What is corrected, and what must not change."""

    target: list[Prompt] = Field(min_length=1, description="Prompts to correct.")
    held_out: list[Prompt] = Field(min_length=1, description="Prompts on which collateral damage is measured.")

    @model_validator(mode="after")
    def _disjoint(self) -> PromptParams:
        both = sorted(set(self.target) & set(self.held_out))
        if both:
            raise ValueError(f"{both[0]!r} stands in target and in held_out: a held-out prompt must not be corrected")
        for prompts in (self.target, self.held_out):
            repeated = sorted({prompt for prompt in prompts if prompts.count(prompt) > 1})
            if repeated:
                raise ValueError(f"{repeated[0]!r} is listed twice")
        names: dict[str, str] = {}
        for prompt in [*self.target, *self.held_out]:
            if (other := names.setdefault(slug(prompt), prompt)) != prompt:
                raise ValueError(
                    f"{other!r} and {prompt!r} differ in punctuation or capitals only, and their images would have the "
                    "same file names: change one"
                )
        return self


class ClassImageParams(Section):
    """Images of the base model itself for prior preservation."""

    prompts: list[Prompt] = Field(min_length=1, description="Prompts of the class images; none is a held-out prompt.")
    per_prompt: int = Field(ge=0, description="Images kept a prompt; 0: no class images.")
    max_tries: int = Field(ge=1, description="Images sampled for each one kept, at most, before the stage gives up.")
    first_seed: Seed = Field(description="Seed of the first image; the next ones count up.")
    detector: AnatomyDetector = Field(
        description="Who sorts out anomalous class images, as measure.detector; none keeps all."
    )


class LoserParams(Section):
    """Anomalous images of the base for the target prompts: the losers of `train.method: dpo`."""

    per_prompt: int = Field(ge=1, description="Anomalous images kept a target prompt.")
    max_tries: int = Field(ge=1, description="Images sampled for each one kept, at most, before the stage gives up.")
    first_seed: Seed = Field(description="Seed of the first image; apart from the seeds of stage `sample`.")
    detector: AnatomyDetector = Field(
        description="Who finds the anomalies, as measure.detector; none where train.method needs no losers."
    )


class EncodeParams(Section):
    """Latents and text embeddings, computed once."""

    batch_size: int = Field(ge=1, description="Images or captions encoded at a time.")
    flip: bool = Field(description="Instance images are shown mirrored in half of the steps.")
    crops: int = Field(ge=0, le=64, description="Random crops of an instance image shown beside the whole; 0: none.")
    min_crop: float = Field(ge=0.25, le=1, description="Smallest side of a crop, as a share of the image's side.")
    seed: Seed = Field(description="Seed of the crops.")
    t5_8bit: bool = Field(description="Load T5 in 8 bits (bitsandbytes; needs a CUDA GPU).")
    one_caption: Prompt | None = Field(
        description="Quirk: train on this literal text for every instance image, such as 'lying on the grass/street'. "
        "Wrong: no prompt that is sampled is the one trained. null: each image's own caption."
    )
    training_sequence_length: int | None = Field(
        ge=1,
        le=512,
        description="Quirk: another T5 length for training than for sampling (77 in diffusers' script, 256 in its "
        "pipeline). Wrong: the model is sampled with text that it was not trained with. null: the same.",
    )


class SampleParams(Section):
    """Images of the base and of the tuned model at the same prompts and seeds."""

    target_seeds_per_prompt: int = Field(ge=1, description="Images a target prompt.")
    held_out_seeds_per_prompt: int = Field(
        ge=1,
        description="Images a held-out prompt: there are more of these prompts, and prompts weigh more than seeds.",
    )
    first_seed: Seed = Field(description="Seed of the first image of each prompt; the next ones count up.")
    steps: int = Field(ge=1, le=1000, description="Sampling steps.")
    guidance_scale: float = Field(ge=1, le=50, description="Classifier-free guidance; 1: none.")
    batch_size: int = Field(ge=1, description="Images sampled at a time.")


class Params(Section):
    """All resolved parameters."""

    profile: str
    base: BaseModelParams
    prompts: PromptParams
    collect: CollectParams
    curate: CurateParams
    class_images: ClassImageParams
    losers: LoserParams
    encode: EncodeParams
    train: TrainParams
    sample: SampleParams
    measure: MeasureParams
    compare: CompareParams
    verdict: VerdictParams
    judge: JudgeParams
    survey: SurveyParams
    report: ReportParams

    def anatomy_detectors(self) -> dict[str, str]:
        """Who looks at anatomy in this run, by the parameter that names it."""
        return {
            "measure.detector": self.measure.detector,
            "class_images.detector": self.class_images.detector,
            "losers.detector": self.losers.detector,
            "train.monitor.detector": self.train.monitor.detector,
        }

    def paid_models(self) -> dict[str, str]:
        """Models that this run will pay for, by the parameter that names them."""
        models = {f"judge.models.{name}": self.judge.models[name] for name in self.judge.judges if name != "anatomy"}
        if "openai" in {self.collect.source, *self.collect.mix}:
            models["collect.openai.model"] = self.collect.openai.model
        return models

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        shared = sorted(set(self.class_images.prompts) & set(self.prompts.held_out))
        if shared:
            raise ValueError(
                f"class_images.prompts holds {shared[0]!r}, a held-out prompt: training on it would hide what the "
                "correction costs"
            )
        if self.train.class_batch_size and not self.class_images.per_prompt:
            raise ValueError(
                f"train.class_batch_size = {self.train.class_batch_size} needs class images: set "
                "class_images.per_prompt above 0, or train.class_batch_size = 0"
            )
        judged = range(self.sample.first_seed, self.sample.first_seed + self.sample.target_seeds_per_prompt)
        monitor = self.train.monitor
        if set(judged) & set(range(monitor.first_seed, monitor.first_seed + monitor.seeds_per_prompt)):
            raise ValueError(
                f"train.monitor.first_seed = {monitor.first_seed} reaches into the seeds that `sample` judges the "
                f"result by ({judged.start} to {judged.stop - 1}): choose others"
            )
        looking = self.anatomy_detectors() | {"curate.detector": self.curate.detector, "judge.parts": self.judge.parts}
        drawn = [parameter for parameter, name in looking.items() if name == "figures"]
        if drawn and self.base.name != "mini":
            raise ValueError(
                f"{drawn[0]} = 'figures' is the checker of the miniature's drawn figures, and base.name = "
                f"{self.base.name!r} draws photographs: choose photographs or none"
            )
        if self.train.method == "dpo" and self.losers.detector == "none":
            raise ValueError("losers.detector = 'none' finds no losers for train.method = 'dpo': choose a detector")
        if "anatomy" in self.judge.judges and self.measure.detector == "none":
            raise ValueError(
                "judge.judges names anatomy, which asks measure.detector, and that is none: leave anatomy out, or "
                "choose a detector"
            )
        collected = self.collect.images + sum(self.collect.mix.values())
        if self.curate.min_kept > collected:
            raise ValueError(
                f"curate.min_kept = {self.curate.min_kept} is more than collect.images = {self.collect.images}"
                + (f" and collect.mix ({collected} in all)" if self.collect.mix else "")
            )
        return self


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Overlay nested changes on nested values; lists and scalars replace."""
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def resolve(raw: dict[str, Any]) -> Params:
    """Overlay the chosen profile on the sections of params.yaml and validate the result.

    Raises:
        ValueError: unknown profile, unknown key, or a value out of range; one sentence a problem, with key, value and
            what is allowed.
    """
    raw = dict(raw)
    profiles = raw.pop("profiles", None) or {}
    profile = raw.get("profile")
    if profile not in profiles:
        raise ValueError(f"profile = {profile!r} is not known: choose one of {', '.join(sorted(profiles))}")
    try:
        return Params.model_validate(merge(raw, profiles[profile] or {}))
    except ValidationError as error:
        raise ValueError("\n".join(_sentence(problem) for problem in error.errors())) from None


def _sentence(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"] if part != "[key]") or "params.yaml"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"{key} is missing: add it to params.yaml"
    if problem["type"] == "extra_forbidden":
        return f"{key} is no parameter: remove it or mend its spelling"
    if problem["type"] == "value_error":
        return f"{key}: {message}" if problem["loc"] else message
    allowed = _allowed(problem["loc"])
    return f"{key} = {problem['input']!r}: {message[0].lower()}{message[1:]}" + (f" ({allowed})" if allowed else "")


def _allowed(loc: Sequence[int | str]) -> str:
    """The bounds of the parameter that a problem is about; empty where it has none."""
    model: Any = Params
    for part in loc:
        field = model.model_fields.get(part)
        if field is None:
            return ""
        model = field.annotation
        if not (isinstance(model, type) and issubclass(model, Section)):
            return bounds(field)
    return ""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        ValueError: the file is missing or is no YAML mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: run `dvc repro resolve`") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no UTF-8: save it again in UTF-8") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no mapping of sections")
    return content


def load_params(path: Path = RESOLVED) -> Params:
    """The resolved parameters, validated once more (the file could have been edited)."""
    try:
        return Params.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ValueError("\n".join(_sentence(problem) for problem in error.errors())) from None
