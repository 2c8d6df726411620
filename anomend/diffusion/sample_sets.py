"""Image sets of base and tuned model at the same prompts and seeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from anomend.diffusion.stored_sampling import StoredSampler
from anomend.params.diffusion import SampleParams
from anomend.params.prompts import PromptParams
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.pictures.sample_store import checksum
from anomend.project.slugs import slug


def requests_of(prompts: PromptParams, sample: SampleParams) -> Iterator[tuple[str, str, range]]:
    """Group, prompt and seeds of every image that base and tuned model are compared by."""
    for group, texts, count in (
        ("target", prompts.target, sample.target_seeds_per_prompt),
        ("held_out", prompts.held_out, sample.held_out_seeds_per_prompt),
    ):
        for prompt in texts:
            yield group, prompt, range(sample.first_seed, sample.first_seed + count)


def write_sample_set(
    folder: Path,
    sampler: StoredSampler,
    *,
    prompts: PromptParams,
    sample: SampleParams,
    model: str,
    name: str,
    written: bool = True,
) -> int:
    """Sample what is missing, and write the image set.

    Args:
        folder: the image set. What an earlier run, or `dvc pull`, left there is taken into the store first.
        sampler: the model.
        prompts: target and held-out prompts.
        sample: seeds.
        model: `base` or `tuned`, each row's `source`.
        name: the model in words, each row's `model`.
        written: False: only fill the store, as further processes of a launcher do.

    Returns:
        The number of images.

    Raises:
        ValueError: the model cannot be loaded, or an image is not finite.
    """
    rows = list(requests_of(prompts, sample))
    if written:
        sampler.samples.refill(folder)
    images = sampler.images([(prompt, seeds) for _, prompt, seeds in rows], sample.first_seed)
    if not written:
        return len(images)
    writer = ImageFolderWriter(folder)
    # Nothing runs again for another device, which rounds differently: so each image says what it was sampled on.
    about = {"source": model, "model": name, "device": sampler.recipe["device"], "recipe": sampler.samples.digest}
    for group, prompt, seeds in rows:
        for seed in seeds:
            path = images[prompt, seed]
            row = {"text": prompt, "prompt": prompt, "seed": seed, "group": group, **about}
            writer.add_stored(f"{slug(prompt)}-{seed}.png", path, checksum(path), **row)
    writer.close()
    return len(writer.rows)
