"""Sample until enough images pass a test: right ones for prior preservation, anomalous ones for preference training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomend.diffusion.sampling import load_sampler, sample_images, sampling_options
from anomend.params.diffusion import BaseModelParams, SampleParams
from anomend.pictures.image_sets import ImageFolderWriter

Image = NDArray[np.uint8]
Kept = tuple[str, int, Image]
"""Prompt, seed and image."""
Sample = Callable[[Sequence[tuple[str, int]], int], Sequence[Image]]
"""Maps (prompt, seed) requests and the number of the round to images."""


def base_sampler(base: BaseModelParams, settings: SampleParams, prompts: Sequence[str], what: str) -> Sample:
    """A sampler of the base model for `sample_kept`; `what` names the images in the progress bar."""
    pipeline, texts = load_sampler(base, prompts)

    def sample(requests: Sequence[tuple[str, int]], attempt: int) -> list[Image]:
        return list(
            sample_images(
                pipeline,
                requests,
                **sampling_options(base, settings),
                description=f"{what}, round {attempt}",
                texts=texts,
            )
        )

    return sample


def sample_kept(
    prompts: Sequence[str],
    per_prompt: int,
    max_tries: int,
    first_seed: int,
    sample: Sample,
    keep: Callable[[Sequence[Image]], Sequence[bool]],
) -> tuple[list[Kept], int]:
    """Sample rounds of images until each prompt has enough that pass.

    Args:
        prompts: what to sample.
        per_prompt: images to keep of each.
        max_tries: rounds at most; the first asks for `per_prompt` images a prompt, later ones for what still lacks.
        first_seed: seed of the first image; round r starts at first_seed + r * per_prompt.
        sample: draws the images.
        keep: tells which images pass.

    Returns:
        The kept images, and how many were sampled.

    Raises:
        ValueError: a prompt has too few after the last round; the message names it.
    """
    kept: list[Kept] = []
    counts = dict.fromkeys(prompts, 0)
    tried = 0
    for attempt in range(max_tries):
        first = first_seed + attempt * per_prompt
        requests = [(p, first + i) for p in prompts for i in range(per_prompt - counts[p])]
        if not requests:
            break
        images = sample(requests, attempt + 1)
        tried += len(images)
        for (prompt, seed), image, passed in zip(requests, images, keep(images), strict=True):
            if passed:
                kept.append((prompt, seed, image))
                counts[prompt] += 1
    for prompt, count in counts.items():
        if count < per_prompt:
            raise ValueError(f"only {count} images of {per_prompt} for {prompt!r} passed in {max_tries} rounds")
    return kept, tried


def write_kept(folder: Path, kept: Sequence[Kept], model: str) -> None:
    """Write kept images of the base as an image set."""
    writer = ImageFolderWriter(folder)
    for index, (prompt, seed, image) in enumerate(kept):
        writer.add(f"{index:04d}.png", image, text=prompt, prompt=prompt, seed=seed, source="base", model=model)
    writer.close()
