"""Where training images are from, for preference training: the noise that an image was sampled from, and its twin."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from anomend.diffusion.embeddings import EncodedSet
from anomend.params.params import Params
from anomend.pictures.image_sets import METADATA, rows_of
from anomend.project.files import write_whole

FILE = "origins.json"
Origins = Mapping[str, Mapping[str, Any]]
"""By file name, its `source` and `seed`."""


def needs_origins(params: Params) -> bool:
    """Whether training asks where its images are from."""
    return params.train.method == "dpo" and (params.train.dpo.noise == "own" or params.losers.source == "planted")


def write_origins(folder: Path, sets: Mapping[str, Path]) -> None:
    """Write where the images of some sets are from.

    Args:
        folder: of the encoded sets.
        sets: image sets by name.
    """
    origins = {
        name: {
            row["file_name"]: {"source": row.get("source"), "seed": row.get("seed")} for row in rows_of(path / METADATA)
        }
        for name, path in sets.items()
    }
    write_whole(folder / FILE, json.dumps(origins, indent=1, sort_keys=True) + "\n")


def read_origins(folder: Path) -> dict[str, Origins]:
    """Read the file of `write_origins`.

    Raises:
        ValueError: it is missing.
    """
    path = folder / FILE
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `dvc repro encode`")
    origins: dict[str, Origins] = json.loads(path.read_text(encoding="utf-8"))
    return origins


def start_noise(
    encoded: EncodedSet, origins: Origins, *, shape: Sequence[int], dtype: torch.dtype
) -> dict[int, torch.Tensor]:
    """The noise that each image of the base was sampled from, by its row; images of other sources have none.

    It is the pipeline's own: one CPU generator per image, with the image's seed, in the precision of the base.

    Args:
        encoded: the set.
        origins: of its images.
        shape: of the transformer's latents, (C, h, w).
        dtype: in which the base's pipeline draws noise.

    Returns:
        Row -> noise, (C, h, w), float32.
    """
    noise = {}
    for row, name in enumerate(encoded.ids):
        if origins[name]["source"] == "base":
            generator = torch.Generator().manual_seed(int(origins[name]["seed"]))
            noise[row] = torch.randn((1, *shape), generator=generator, dtype=dtype)[0].float()
    return noise


def twins(instance: Origins, losers: Origins, *, of: EncodedSet, among: EncodedSet) -> dict[int, int]:
    """Row of the loser that shows the scene of an instance image, by the row of the instance image.

    Args:
        instance: origins of the instance images.
        losers: origins of the losers.
        of: the instance images.
        among: the losers.
    """
    # Numbers of a table with empty cells come as floating-point ones.
    rows = {
        float(losers[name]["seed"]): row for row, name in enumerate(among.ids) if losers[name]["source"] == "planted"
    }
    found = {}
    for row, name in enumerate(of.ids):
        origin = instance[name]
        if origin["source"] == "drawn_people" and (twin := rows.get(float(origin["seed"]))) is not None:
            found[row] = twin
    return found
