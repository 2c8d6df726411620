"""Source `base`: images of the base itself in which a detector finds no anomaly (rejection fine-tuning)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from math import ceil

from anomend.collecting.image import BaseSettings, Skipped, SourceImage, SourceSettings
from anomend.diffusion.rejection import Selection, TooFewImages, Wanted, select_by_anatomy
from anomend.pictures.image_sets import load_image
from anomend.pictures.sample_store import SampleStore
from anomend.project.slugs import slug


def collect(prompts: Sequence[str], count: int, settings: SourceSettings) -> Iterator[SourceImage | Skipped]:
    """Right images of the base, of each target prompt in turn; those that the detector rejects are reported.

    All sampled images are kept in the store of samples. Several processes may collect at once: they share the sampling.

    Args:
        prompts: target prompts.
        count: number of images at most; of each prompt the same number, up to one.
        settings: its `base`.

    Raises:
        ValueError: the base cannot be loaded, or too few images of a prompt are right.
    """
    of_base = _settings(settings)
    selection = _selection(prompts, count, of_base)
    for prompt, seed in selection.rejected:
        reason = f"{of_base.selecting.detector} finds an anomaly"
        yield Skipped(_name(prompt, seed), reason, kind="anomalous", one_of_many=True)
    rows = {prompt: [row for row in selection.kept if row[0] == prompt] for prompt in prompts}
    in_turn = [row for turn in zip_longest(*rows.values()) for row in turn if row is not None]
    for prompt, seed, path in in_turn[:count]:
        provenance = {"seed": seed, "model": of_base.base.name, "recipe": selection.recipe}
        yield SourceImage(image=load_image(path), text=prompt, prompt=prompt, provenance=provenance)
    for prompt, seed, _ in in_turn[count:]:
        yield Skipped(_name(prompt, seed), f"beyond the {count} images of collect.images or collect.mix", kind="beyond")


def _selection(prompts: Sequence[str], count: int, of_base: BaseSettings) -> Selection:
    selecting = of_base.selecting
    wanted = Wanted(
        prompts=prompts,
        per_prompt=ceil(count / len(prompts)),
        max_tries=selecting.max_tries,
        min_share=selecting.min_share,
        first_seed=selecting.first_seed,
    )
    try:
        return select_by_anatomy(
            wanted,
            base=of_base.base,
            sampling=of_base.sampling,
            store=SampleStore(of_base.store),
            code=of_base.code,
            detector=selecting.detector,
            detectors=of_base.detectors,
            anomalous=False,
            description="images of the base",
            ahead=of_base.ahead,
        )
    except TooFewImages as error:
        raise ValueError(
            f"{error}: the base draws that target prompt too often wrong to learn from itself; raise "
            "collect.base.max_tries, collect fewer images, lower collect.base.min_share, or take another source (all "
            "sampled images are kept in the store)"
        ) from error


def _name(prompt: str, seed: int) -> str:
    return f"{slug(prompt)}-{seed}"


def _settings(settings: SourceSettings) -> BaseSettings:
    if settings.base is None:
        raise ValueError("the source `base` needs the base: set collect.source or collect.mix to use it")
    return settings.base
