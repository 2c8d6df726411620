"""Images of the base that a detector accepts: right ones for prior preservation, anomalous ones to learn against.

The models are imported when the first image is sampled, so that a recipe without such images starts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomend.detectors.table import make_detector
from anomend.params.detectors import DetectorParams
from anomend.params.diffusion import BaseModelParams, SampleParams
from anomend.pictures.image_sets import ImageFolderWriter

Image = NDArray[np.uint8]
Kept = tuple[str, int, Image]
"""Prompt, seed and image."""
Sample = Callable[[Sequence[tuple[str, int]], int], Sequence[Image]]
"""Maps (prompt, seed) requests and the number of the round, from 1, to images."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How many images are kept, and how many rounds are sampled at most."""

    prompts: Sequence[str]
    per_prompt: int
    """Images to keep per prompt."""
    max_tries: int
    """Rounds of sampling, at most. The first one asks for `per_prompt` images per prompt, later ones for the rest."""
    first_seed: int
    """Seed of the first image; round r, from 0, starts at first_seed + r * per_prompt."""


def sample_by_anatomy(
    base: BaseModelParams,
    sampling: SampleParams,
    wanted: Wanted,
    *,
    detector: str,
    detectors: DetectorParams,
    anomalous: bool,
    description: str,
) -> tuple[list[Kept], int]:
    """Sample the base until each prompt has enough images that are right, or enough that are anomalous.

    Args:
        base: the base.
        sampling: how it is sampled.
        wanted: prompts, numbers and seeds; with `per_prompt` 0, no model is loaded.
        detector: a detector of `anomend.detectors.table`; "none" finds no anomaly in any image.
        detectors: the models that detectors load.
        anomalous: keep images with an anomaly; False: keep images without one.
        description: names the images in the progress bar.

    Returns:
        The kept images, and how many were sampled.

    Raises:
        ValueError: a prompt has too few images after the last round; the sentence names it.
    """
    if not wanted.per_prompt:
        return [], 0
    loaded = make_detector(detector, detectors)

    def accept(images: Sequence[Image]) -> list[bool]:
        return [bool(anomalies) is anomalous for anomalies in loaded.anomalies(images)]

    return sample_kept(
        wanted, base_sampler(base=base, settings=sampling, prompts=wanted.prompts, description=description), accept
    )


def base_sampler(*, base: BaseModelParams, settings: SampleParams, prompts: Sequence[str], description: str) -> Sample:
    """A sampler of the base model for `sample_kept`; `description` names the images in the progress bar."""
    from anomend.diffusion.sampling import load_sampler, sample_images, sampling_options

    pipeline, texts = load_sampler(base, prompts)

    def sample(requests: Sequence[tuple[str, int]], attempt: int) -> list[Image]:
        return list(
            sample_images(
                pipeline,
                requests,
                **sampling_options(base, settings),
                description=f"{description}, round {attempt}",
                texts=texts,
            )
        )

    return sample


def sample_kept(
    wanted: Wanted, sample: Sample, accept: Callable[[Sequence[Image]], Sequence[bool]]
) -> tuple[list[Kept], int]:
    """Sample rounds of images until each prompt has enough that are accepted.

    Args:
        wanted: prompts, numbers and seeds.
        sample: draws the images.
        accept: returns for each image whether it is kept.

    Returns:
        The kept images, and how many were sampled.

    Raises:
        ValueError: a prompt has too few images after the last round; the sentence names it.
    """
    kept: list[Kept] = []
    counts = dict.fromkeys(wanted.prompts, 0)
    sampled = 0
    for attempt in range(wanted.max_tries):
        first = wanted.first_seed + attempt * wanted.per_prompt
        requests = [(p, first + i) for p in wanted.prompts for i in range(wanted.per_prompt - counts[p])]
        if not requests:
            break
        images = sample(requests, attempt + 1)
        sampled += len(images)
        for (prompt, seed), image, accepted in zip(requests, images, accept(images), strict=True):
            if accepted:
                kept.append((prompt, seed, image))
                counts[prompt] += 1
    for prompt, count in counts.items():
        if count < wanted.per_prompt:
            raise ValueError(
                f"only {count} images of {wanted.per_prompt} for {prompt!r} were kept in {wanted.max_tries} rounds"
            )
    return kept, sampled


def write_kept(folder: Path, kept: Sequence[Kept], model: str) -> None:
    """Write kept images of the base as an image set."""
    writer = ImageFolderWriter(folder)
    for index, (prompt, seed, image) in enumerate(kept):
        writer.add(f"{index:04d}.png", image, text=prompt, prompt=prompt, seed=seed, source="base", model=model)
    writer.close()
