"""How much work each stage of a run is, counted from the parameters alone: images, steps, model evaluations, disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

from anomend.params.params import Params
from anomend.project.paths import MODELS

BYTES_PER_PIXEL = 1.5
"""Of a PNG picture; photographs and the miniature's drawings have 1.3 to 1.6."""
LATENT_BYTES_PER_PIXEL = 2.0
"""Of an encoded view: mean and deviation of 16 channels in float32, at an eighth of the side."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one stage does."""

    stage: str
    images: int = 0
    """Images that it draws, encodes or measures."""
    steps: int = 0
    """Steps per sampled image, or of the optimizer."""
    sampling: int = 0
    """Forward passes of the base's denoiser, of one image each; guidance counts twice."""
    adapted: int = 0
    """The same with the LoRA, which takes longer."""
    training: int = 0
    """Forward and backward passes of the denoiser, of one image each."""
    encoding: int = 0
    """Images that the VAE encodes."""
    measuring: int = 0
    """Images that detectors and feature extractors measure."""
    at_most: bool = False
    """Whether it may take less, because sampling stops at an earlier look, or a right image comes before the n-th."""
    disk_bytes: int = 0
    """About what it writes; DVC's cache has the same once more where the file system cannot share blocks."""

    @property
    def model_evaluations(self) -> int:
        """Passes of the denoiser, with or without gradient."""
        return self.sampling + self.adapted + self.training

    @property
    def amounts(self) -> dict[str, int]:
        """What takes time, by kind, as stages record it (`anomend.project.metric_files.timed_work`)."""
        kinds = ("training", "adapted", "sampling", "encoding", "measuring")
        return {kind: amount for kind in kinds if (amount := getattr(self, kind))}


def work_of(
    params: Params, *, kept: Mapping[str, float] | None = None, already_made: Mapping[str, int] | None = None
) -> dict[str, Work]:
    """The work of a whole run by stage, for the stages that draw, encode, train, measure or buy.

    Args:
        params: the parameters in force.
        kept: the share of sampled images that `collect` (source `base`), `class_images` and `losers` keep, by stage,
            0 to 1; a stage that is not named keeps all. 0 is the worst case: as many are sampled as `max_tries` allows.
        already_made: images by stage that need not be sampled again.
    """
    kept, already_made = kept or {}, already_made or {}
    class_prompts, targets = len(params.class_images.prompts), len(params.prompts.target)
    works = [
        collecting_work(params, kept=kept.get("collect", 1.0)),
        selecting_work(
            params,
            "class_images",
            prompts=class_prompts,
            per_prompt=params.class_images.per_prompt,
            tries=params.class_images.max_tries,
            kept=kept.get("class_images", 1.0),
        ),
        selecting_work(
            params,
            "losers",
            prompts=targets,
            per_prompt=params.losers.per_prompt if params.samples_losers else 0,
            tries=params.losers.max_tries,
            kept=kept.get("losers", 1.0),
        ),
        encoding_work(params),
        training_work(params),
        looks_work(params),
        *(sampling_work(params, f"sample_{m}", already_made=already_made.get(f"sample_{m}", 0)) for m in MODELS),
        *(
            Work(stage=f"measure@{model}", images=samples(params), measuring=samples(params), at_most=in_looks(params))
            for model in MODELS
        ),
        Work(stage="judge", images=2 * pairs_judged(params) if params.judge.judges else 0),
    ]
    return {work.stage: work for work in works}


def passes_per_image(params: Params) -> int:
    """Forward passes for one sampled image of the base: guidance evaluates the prompt and the empty prompt."""
    return params.sample.passes


def draws_per_image(params: Params, stage: str) -> int:
    """Images that a model draws at most for one that is kept: the tuned one may be asked for the best of n."""
    return params.sample.tuned.best_of.n or 1 if stage != "sample_base" else 1


def in_blocks(images: int, params: Params) -> int:
    """Images that are made where some seeds of a prompt are asked for: whole blocks (`stored_sampling`)."""
    return ceil(images / params.sample.batch_size) * params.sample.batch_size


def samples_made(params: Params) -> int:
    """Images that each of the two models draws, those that only fill a block included."""
    sample, prompts = params.sample, params.prompts
    targets = len(prompts.target) * in_blocks(sample.target_seeds_per_prompt, params)
    others = len(prompts.held_out) + len(prompts.siblings)
    return targets + others * in_blocks(sample.held_out_seeds_per_prompt, params)


def samples(params: Params) -> int:
    """Images of each of the two models that are measured."""
    sample, prompts = params.sample, params.prompts
    targets = len(prompts.target) * sample.target_seeds_per_prompt
    return targets + (len(prompts.held_out) + len(prompts.siblings)) * sample.held_out_seeds_per_prompt


def pairs_judged(params: Params) -> int:
    """Pairs of images that each judge compares."""
    return len(params.prompts.target) * min(params.judge.pairs_per_prompt, params.sample.target_seeds_per_prompt)


def instance_images(params: Params) -> int:
    """Images that are collected, which are the most that curation can keep."""
    return sum(params.collect.counts.values())


def tries_per_image(kept: float, most: int) -> float:
    """Images sampled per wanted image.

    Args:
        kept: share of the sampled images that are kept, 0 to 1.
        most: images sampled per wanted image at most.
    """
    return min(most, 1 / kept) if kept else most


def collecting_work(params: Params, *, kept: float = 1.0) -> Work:
    """Instance images, drawn, copied, bought, or selected from images of the base.

    Args:
        params: the parameters in force.
        kept: share of the base's images that are kept.
    """
    images = instance_images(params)
    selecting = selecting_work(
        params,
        "collect",
        prompts=len(params.prompts.target),
        per_prompt=params.base_images_per_prompt,
        tries=params.collect.base.max_tries,
        kept=kept,
    )
    others = images - params.collect.counts.get("base", 0)
    return replace(selecting, images=others + selecting.images, disk_bytes=_pictures(params, images))


def sampling_work(params: Params, stage: str, *, already_made: int = 0) -> Work:
    """The samples of one model.

    Args:
        params: the parameters in force.
        stage: `sample_base` or `sample_tuned`.
        already_made: how many of them need not be sampled again; all where stage `looks` samples.
    """
    draws, base = draws_per_image(params, stage), stage == "sample_base"
    made = 0 if in_looks(params) else samples_made(params)
    images = max(0, made * draws - already_made)
    passes = images * (params.sample.passes if base else params.sample.tuned_passes)
    without_lora = not (params.sample.against.in_use if base else params.train.has_lora)
    return Work(
        stage=stage,
        images=images,
        steps=params.sample.steps,
        sampling=passes if without_lora else 0,
        adapted=0 if without_lora else passes,
        at_most=draws > 1 and images > 0,
        disk_bytes=_pictures(params, images),
    )


def in_looks(params: Params) -> bool:
    """Whether stage `looks` samples, so that the stages after it find their images in the store."""
    return len(params.verdict.looks) > 1


def looks_work(params: Params) -> Work:
    """The rounds of both models, up to the last look, and the siblings; nothing where one look is declared."""
    if not in_looks(params):
        return Work(stage="looks")
    images = samples_made(params)
    tuned = images * draws_per_image(params, "looks")
    passes, tuned_passes = images * params.sample.passes, tuned * params.sample.tuned_passes
    adapted = tuned_passes * params.train.has_lora + passes * params.sample.against.in_use
    return Work(
        stage="looks",
        images=images + tuned,
        steps=params.sample.steps,
        sampling=passes + tuned_passes - adapted,
        adapted=adapted,
        measuring=2 * (samples(params) - len(params.prompts.siblings) * params.sample.held_out_seeds_per_prompt),
        at_most=True,
        disk_bytes=_pictures(params, images + tuned),
    )


def selecting_work(params: Params, stage: str, *, prompts: int, per_prompt: int, tries: int, kept: float) -> Work:
    """Images of the base that are sampled until enough of them are kept.

    Args:
        params: the parameters in force.
        stage: `class_images`, `losers` or `collect`.
        prompts: how many prompts there are.
        per_prompt: images to keep of each.
        tries: images sampled per wanted image at most.
        kept: share of the sampled images that are kept.
    """
    first, tried = in_blocks(per_prompt, params), ceil(per_prompt * tries_per_image(kept, tries) - 1e-9)
    # Further blocks of as many prompts as have an image rejected.
    rejected = ceil(prompts * per_prompt * (tries_per_image(kept, tries) - 1) - 1e-9)
    images = prompts * first + min(prompts, rejected) * in_blocks(max(0, tried - first), params)
    return Work(
        stage=stage,
        images=images,
        steps=params.sample.steps if images else 0,
        sampling=images * passes_per_image(params),
        disk_bytes=_pictures(params, prompts * per_prompt),
    )


def encoding_work(params: Params) -> Work:
    """The views of all instance images, and class and losing images once each."""
    encode, train = params.encode, params.train
    images = 0 if train.by_rewards else instance_images(params) * (1 + encode.crops) * (2 if encode.flip else 1)
    images += len(params.class_images.prompts) * params.class_images.per_prompt
    images += len(params.prompts.target) * params.losers.per_prompt if train.method == "dpo" else 0
    size = int(images * params.base.resolution**2 * LATENT_BYTES_PER_PIXEL)
    return Work(stage="encode", images=images, encoding=images, disk_bytes=size)


def training_work(params: Params) -> Work:
    """The optimizer's steps, and the evaluations while training; early stopping makes it less.

    A step handles `batch_size` instance images and `class_batch_size` class images, however many micro-batches they are
    cut into. Preference training also handles the losers, and asks the frozen base about both. Training by rewards
    draws the images of each round, and asks the base about all images of a step, and the old weights about the drawn
    ones. Encoding and rewarding those takes next to nothing beside drawing them, and is left out.
    """
    train, monitor = params.train, params.train.monitor
    if not train.makes_lora:
        return Work(stage="train")
    preferred = train.batch_size if train.method == "dpo" else 0
    passes = train.steps * (train.batch_size + preferred + train.class_batch_size)
    evaluations = ceil(train.steps / monitor.every) if monitor.every else 0
    watched = len(params.prompts.target) + len(monitor.held_out_prompts)
    requests = watched * monitor.seeds_per_prompt
    drawn = params.rounds * params.round_images if train.rewards_by_detector else 0
    # At the end two images are drawn by the trained weights and again by the saved ones.
    others = evaluations * requests + (2 * min(2, requests) if evaluations else 0)
    adapted = others * passes_per_image(params) + drawn * passes_per_image(params.sampling_rounds())
    adapted += evaluations * monitor.validation_draws
    base = train.steps * 2 * preferred
    if train.by_rewards:
        base = passes
        adapted += train.steps * train.batch_size if train.method == "nft" else 0
    return Work(
        stage="train",
        images=drawn + others,
        steps=train.steps,
        sampling=base,
        adapted=adapted,
        training=passes,
        disk_bytes=_pictures(params, drawn),
    )


def _pictures(params: Params, images: int) -> int:
    return int(images * params.base.resolution**2 * BYTES_PER_PIXEL)


def pairs_labelled(params: Params) -> int:
    """Pairs of images of which each paid judge labels both."""
    target = min(params.judge.label_pairs_per_prompt, params.sample.target_seeds_per_prompt)
    held_out = min(params.judge.label_held_out_pairs_per_prompt, params.sample.held_out_seeds_per_prompt)
    return len(params.prompts.target) * target + len(params.prompts.held_out) * held_out
