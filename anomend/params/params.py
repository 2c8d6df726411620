"""All parameters, and what must hold between sections."""

from __future__ import annotations

from itertools import combinations
from math import ceil
from typing import Literal

from pydantic import Field, model_validator

from anomend.params.detectors import DetectorParams
from anomend.params.diffusion import BaseModelParams, ClassImageParams, EncodeParams, LoserParams, SampleParams
from anomend.params.evaluation import CompareParams, JudgeParams, MeasureParams, ReportParams, VerdictParams
from anomend.params.images import CollectParams, CurateParams
from anomend.params.labels import LabelParams
from anomend.params.prompts import PromptParams, content
from anomend.params.scan import ScanParams
from anomend.params.survey import SurveyParams
from anomend.params.training import TrainParams
from anomend.params.tuned import SEEDS_PER_TRY
from anomend.params.types import Section


class Params(Section):
    """All resolved parameters."""

    profile: str
    level: Literal["full", "quick"] = Field(
        "full",
        description="full: the profile as it is. quick: few seeds, class images and training steps, for a first "
        "impression that proves nothing (`profiles/levels/quick.yaml`).",
    )
    base: BaseModelParams
    prompts: PromptParams
    detectors: DetectorParams
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
    label: LabelParams
    report: ReportParams
    scan: ScanParams

    def anatomy_detectors(self) -> dict[str, str]:
        """Detectors that name anomalies, by the parameter that names them."""
        return {
            "measure.detector": self.measure.detector,
            "collect.base.detector": self.collect.base.detector,
            "class_images.detector": self.class_images.detector,
            "losers.detector": self.losers.detector,
            "train.monitor.detector": self.train.monitor.detector,
            "train.nft.detector": self.train.nft.detector,
            "train.nft.second_detector": self.train.nft.second_detector,
            "sample.tuned.best_of.detector": self.sample.tuned.best_of.detector,
        }

    def idle_detectors(self) -> set[str]:
        """Those parameters of `anatomy_detectors` whose detectors have nothing to do in this run."""
        monitor = self.train.monitor
        idle = {
            "collect.base.detector": "base" not in self.collect.counts,
            "class_images.detector": not self.class_images.per_prompt,
            "losers.detector": not self.samples_losers,
            "train.monitor.detector": not (self.train.makes_lora and monitor.every and monitor.seeds_per_prompt),
            "train.nft.detector": not self.train.rewards_by_detector,
            "train.nft.second_detector": not self.train.rewards_by_detector,
            "sample.tuned.best_of.detector": self.sample.tuned.best_of.n is None,
        }
        return {parameter for parameter, without_work in idle.items() if without_work}

    def paid_models(self) -> dict[str, str]:
        """Paid models of this run, by the parameter that names them."""
        models = {
            f"judge.models.{name}": getattr(self.judge.models, name) for name in self.judge.judges if name != "anatomy"
        }
        if "openai" in self.collect.counts:
            models["collect.openai.model"] = self.collect.openai.model
        return models

    def sampled_prompts(self) -> list[str]:
        """Every text that this run samples with, each once."""
        class_prompts = self.class_images.prompts if self.class_images.per_prompt else []
        watched = self.train.monitor.held_out_prompts
        negative = [] if self.sample.tuned.negative_prompt is None else [self.sample.tuned.negative_prompt]
        return list(dict.fromkeys([*self.prompts.sampled, *class_prompts, *watched, *negative]))

    def preserved_prompts(self) -> list[str]:
        """Held-out prompts that training sees: class images show the same. What they cost is not what others cost."""
        if not (self.train.makes_lora and self.train.class_batch_size and self.class_images.per_prompt):
            return []
        shown = {content(prompt) for prompt in self.class_images.prompts}
        return [prompt for prompt in self.prompts.held_out if content(prompt) in shown]

    @property
    def samples_losers(self) -> bool:
        """Whether the base is sampled for losing images."""
        return self.train.method == "dpo" and self.losers.source == "base"

    @property
    def base_images_per_prompt(self) -> int:
        """Images of each target prompt that the source `base` collects; 0 where it is not used."""
        return ceil(self.collect.counts.get("base", 0) / len(self.prompts.target))

    def sampling_rounds(self) -> Params:
        """The same, with `sample` as the images of a round are sampled."""
        steps = self.train.nft.sample_steps
        if steps is None:
            return self
        return self.model_copy(update={"sample": self.sample.model_copy(update={"steps": steps})})

    @property
    def round_images(self) -> int:
        """Images that a round of training by rewards draws."""
        return self.train.nft.images_per_prompt * len(self.prompts.target)

    @property
    def round_steps(self) -> int:
        """Optimizer steps from one round to the next; with `labels` there is one round."""
        train = self.train
        return train.nft.passes * self.round_images // train.batch_size if train.method == "nft" else train.steps

    @property
    def rounds(self) -> int:
        """Rounds of training by rewards; the last one may be cut short by `train.steps`."""
        return ceil(self.train.steps / self.round_steps) if self.train.by_rewards else 0

    def seed_ranges(self) -> dict[str, range]:
        """The seeds that this run samples images with, by the parameter that they start at; unused ones are empty."""
        sample, monitor, losers, nft = self.sample, self.train.monitor, self.losers, self.train.nft
        class_images, own, best = self.class_images, self.collect.base, sample.tuned.best_of
        watched = monitor.seeds_per_prompt if monitor.every and self.train.makes_lora else 0
        used = {
            "sample": (sample.first_seed, sample.most_seeds),
            "sample.tuned.best_of": (
                best.first_seed,
                (best.n - 1) * SEEDS_PER_TRY + sample.most_seeds if best.n else 0,
            ),
            "train.monitor": (monitor.first_seed, watched),
            "class_images": (class_images.first_seed, class_images.per_prompt * class_images.max_tries),
            "losers": (losers.first_seed, losers.per_prompt * losers.max_tries if self.samples_losers else 0),
            "train.nft": (nft.first_seed, self.rounds * nft.images_per_prompt if self.train.rewards_by_detector else 0),
            "collect.base": (own.first_seed, self.base_images_per_prompt * own.max_tries),
            "scan": (self.scan.first_seed, self.scan.most_seeds),
            "scan.fresh": (self.scan.fresh.first_seed, self.scan.fresh.seeds_per_prompt),
        }
        return {f"{name}.first_seed": range(first, first + count) for name, (first, count) in used.items()}

    @model_validator(mode="after")
    def _rounds_are_whole(self) -> Params:
        """Declared before the seeds are counted, which needs the steps of a round."""
        train = self.train
        made = train.nft.passes * self.round_images
        if train.method == "nft" and made % train.batch_size:
            raise ValueError(
                f"train.nft.passes * train.nft.images_per_prompt * {len(self.prompts.target)} target prompts = {made} "
                f"images a round, which is not a multiple of train.batch_size = {train.batch_size}: change one of them"
            )
        if train.rewards_by_detector and train.nft.detector == "none":
            raise ValueError(
                f"train.nft.detector = 'none' gives no rewards for train.method = {train.method!r}: choose a detector"
            )
        if train.rewards_by_detector and train.nft.second_detector == train.nft.detector:
            raise ValueError(
                f"train.nft.second_detector = {train.nft.detector!r} is the detector that rewards, which cannot show "
                "what it does not see: choose another, or none"
            )
        if watched := sorted(set(train.monitor.held_out_prompts) & set(self.prompts.target)):
            raise ValueError(
                f"train.monitor.held_out_prompts holds {watched[0]!r}, a target prompt, which is watched anyway: leave "
                "it out"
            )
        return self

    @model_validator(mode="after")
    def _the_tuned_model_differs(self) -> Params:
        if not (self.train.has_lora or self.sample.tuned.in_use):
            raise ValueError(
                "train.method = 'none' trains no LoRA, and sample.tuned sets nothing: the tuned model would be the "
                "base; set sample.tuned.best_of.n, negative_prompt or skip_layers.layers, or choose another method"
            )
        return self

    @model_validator(mode="after")
    def _seeds_apart(self) -> Params:
        """An image is judged, trained on, or watched while training: never two of these."""
        for (one, seeds), (other, others) in combinations(self.seed_ranges().items(), 2):
            if seeds and others and seeds.start < others.stop and others.start < seeds.stop:
                raise ValueError(
                    f"{other} = {others.start} reaches into the seeds of {one} = {seeds.start}: they use "
                    f"{others.start} to {others.stop - 1} and {seeds.start} to {seeds.stop - 1}; move one of them"
                )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        shared = sorted(set(self.class_images.prompts) & set(self.prompts.held_out))
        if shared:
            raise ValueError(
                f"class_images.prompts holds {shared[0]!r}, a held-out prompt: training on it would hide what the "
                "correction costs"
            )
        self.prompts.refuse_siblings("class_images.prompts", self.class_images.prompts)
        self.prompts.refuse_siblings("train.monitor.held_out_prompts", self.train.monitor.held_out_prompts)
        preserved, held_out = self.preserved_prompts(), self.prompts.held_out
        if 2 * len(preserved) > len(held_out):
            raise ValueError(
                f"{len(preserved)} of the {len(held_out)} prompts in prompts.held_out are in class_images.prompts too, "
                f"such as {preserved[0]!r}: training preserves them, so they hide what the correction costs elsewhere; "
                "let half of the held-out prompts or more be of other content"
            )
        if self.train.class_batch_size and not self.class_images.per_prompt:
            raise ValueError(
                f"train.class_batch_size = {self.train.class_batch_size} needs class images: set "
                "class_images.per_prompt above 0, or train.class_batch_size = 0"
            )
        if len(self.verdict.looks) > 1 and (
            self.verdict.evidence != "detector" or self.verdict.min_preference is not None
        ):
            raise ValueError(
                "verdict.looks with several looks decides while images come in, before people have seen any: set it to "
                "[1.0] where verdict.evidence names people, or verdict.min_preference is asked for"
            )
        if len(self.verdict.looks) > 1 and self.sample.launcher:
            raise ValueError(
                "verdict.looks with several looks samples in one process, and sample.launcher names a launcher: set "
                "verdict.looks to [1.0], or sample.launcher to []"
            )
        if self.train.compile == "whole" and self.base.quantise != "none":
            raise ValueError(
                "train.compile = 'whole' cannot be combined with base.quantise: set train.compile to 'blocks', or "
                "base.quantise to none"
            )
        detectors = self.anatomy_detectors()
        detectors |= {"curate.detector": self.curate.detector, "judge.parts": self.judge.parts}
        drawn = [parameter for parameter, name in detectors.items() if name == "drawn_people"]
        if drawn and self.base.name != "mini":
            raise ValueError(
                f"{drawn[0]} = 'drawn_people' is the checker of the miniature's drawn people, and base.name = "
                f"{self.base.name!r} draws photographs: choose photographs or none"
            )
        if "base" in self.collect.counts and self.collect.base.detector == "none":
            raise ValueError(
                "collect.base.detector = 'none' tells no right images of the base from wrong ones, and collect names "
                "the source base: choose a detector, or another source"
            )
        if self.samples_losers and self.losers.detector == "none":
            raise ValueError("losers.detector = 'none' finds no losers for train.method = 'dpo': choose a detector")
        if self.train.method == "dpo" and self.losers.source == "planted":
            if "drawn_people" not in self.collect.counts:
                raise ValueError(
                    "losers.source = 'planted' plants anomalies in drawn people, and collect names none: set "
                    "collect.source to drawn_people, or losers.source to base"
                )
            if self.train.dpo.noise == "own" and "base" not in self.collect.counts:
                raise ValueError(
                    "train.dpo.noise = 'own' needs images that were sampled here, and neither winners nor losers are: "
                    "set losers.source or collect.source to base, or train.dpo.noise to fresh"
                )
        if self.verdict.evidence == "people+machine" and self.measure.detector == "none":
            raise ValueError(
                "verdict.evidence = 'people+machine' needs a detector, and measure.detector = 'none': choose one, or "
                "set verdict.evidence to people"
            )
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
