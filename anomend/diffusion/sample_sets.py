"""Image sets of base and tuned model at the same prompts and seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from anomend.diffusion.best_of import BestOf
from anomend.diffusion.stored_sampling import StoredSampler
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.pictures.sample_store import checksum
from anomend.project.slugs import slug

Sampler = StoredSampler | BestOf
Seeds = Mapping[str, Mapping[str, int]]
"""By group (`target`, `held_out`, `siblings`) and prompt, how many seeds are sampled, from the first on."""


def read_seeds(metrics: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """The seeds in the content of metrics/looks.json, by group and prompt."""
    seeds: dict[str, dict[str, int]] = {}
    for row in metrics["seeds"]:
        seeds.setdefault(row["group"], {})[row["prompt"]] = row["seeds"]
    return seeds


def requests_of(seeds: Seeds, first_seed: int) -> Iterator[tuple[str, str, range]]:
    """Group, prompt and seeds of every image that base and tuned model are compared by."""
    for group, prompts in seeds.items():
        for prompt, count in prompts.items():
            yield group, prompt, range(first_seed, first_seed + count)


def sampled_tables(
    samplers: Mapping[str, Sampler], folder: Path, seeds: Seeds, first_seed: int
) -> dict[str, pd.DataFrame]:
    """Sample what is missing, and list the images as the image sets will, with the stored files as `path`.

    Args:
        samplers: by model.
        folder: holds the models' image sets. What an earlier run left there is taken into the store first.
        seeds: what is sampled.
        first_seed: the first seed of every prompt.
    """
    rows, tables = list(requests_of(seeds, first_seed)), {}
    for model, sampler in samplers.items():
        sampler.samples.refill(folder / model)
        images = sampler.images([(prompt, numbers) for _, prompt, numbers in rows], first_seed)
        found = [(group, prompt, prompt, seed) for group, prompt, numbers in rows for seed in numbers]
        table = pd.DataFrame(found, columns=["group", "prompt", "text", "seed"])
        paths = pd.Series([images[prompt, seed] for _, prompt, _, seed in found], dtype=object)
        tables[model] = table.assign(path=paths, file_name=[path.name for path in paths])
    return tables


def write_sample_set(
    folder: Path,
    sampler: Sampler,
    *,
    seeds: Seeds,
    first_seed: int,
    model: str,
    name: str,
    written: bool = True,
) -> int:
    """Sample what is missing, and write the image set.

    Args:
        folder: the image set. What an earlier run, or `dvc pull`, left there is taken into the store first.
        sampler: the model.
        seeds: what is sampled.
        first_seed: the first seed of every prompt.
        model: `base` or `tuned`, each row's `source`.
        name: the model in words, each row's `model`.
        written: False: only fill the store, as further processes of a launcher do.

    Returns:
        The number of images.

    Raises:
        ValueError: the model cannot be loaded, or an image is not finite.
    """
    rows = list(requests_of(seeds, first_seed))
    if written:
        sampler.samples.refill(folder)
    images = sampler.images([(prompt, numbers) for _, prompt, numbers in rows], first_seed)
    if not written:
        return len(images)
    writer = ImageFolderWriter(folder)
    # Nothing runs again for another device, which rounds differently: so each image says what it was sampled on.
    about = {"source": model, "model": name, "device": sampler.recipe["device"], "recipe": sampler.digest}
    for group, prompt, numbers in rows:
        for seed in numbers:
            path = images[prompt, seed]
            row = {
                "text": prompt,
                "prompt": prompt,
                "seed": seed,
                "group": group,
                **about,
                **sampler.about(prompt, seed),
            }
            writer.add_stored(f"{slug(prompt)}-{seed}.png", path, checksum(path), **row)
    writer.close()
    return len(writer.rows)
