"""Both models' images, paired by prompt and seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.measuring.features import Images
from anomend.measuring.group_metrics import SUFFIXES
from anomend.measuring.pairing import pair_by_prompt_and_seed
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.project.paths import MODELS


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """n pairs of images of the base and of the tuned model, ordered by prompt and seed."""

    prompts: list[str]
    """The prompt of each pair."""
    texts: list[str]
    """The text that the models were given for each pair."""
    rows: NDArray[np.intp]
    """Rows of the two sample sets, and of their features, (2, n)."""
    paths: tuple[list[Path], list[Path]]
    """Images of the base and of the tuned model."""

    def places(self, limit: int | None = None) -> dict[str, NDArray[np.intp]]:
        """By prompt, the positions of its pairs: all, or those of its first `limit` seeds."""
        prompts = np.array(self.prompts)
        return {prompt: np.flatnonzero(prompts == prompt)[:limit] for prompt in dict.fromkeys(self.prompts)}

    def images(self, places: NDArray[np.intp]) -> Images:
        """The base model's images at these positions, then the tuned model's."""
        return [load_image(paths[place]) for paths in self.paths for place in places]


def read_pairs(samples: Path) -> dict[str, Pairs]:
    """The pairs in image sets; see `pairs_of`.

    Args:
        samples: folder with an image folder for each model.
    """
    return pairs_of({model: read_imagefolder(samples / model) for model in MODELS})


def pairs_of(samples: Mapping[str, pd.DataFrame]) -> dict[str, Pairs]:
    """The pairs of the target and of the held-out prompts, by the suffix of their keys in metric files.

    Args:
        samples: by model, image sets with `group`, `prompt`, `seed`, `text` and `path`, row numbers as index.

    Raises:
        ValueError: an image has no partner of its prompt and seed.
    """
    tables = [samples[model] for model in MODELS]
    base, tuned = (table.assign(row=table.index) for table in tables)
    pairs = pair_by_prompt_and_seed(base, tuned, "row")
    groups = {}
    for group, suffix in SUFFIXES.items():
        rows = pairs.loc[pairs["group"] == group, list(MODELS)].to_numpy(dtype=np.intp).T
        base_rows = tables[0].iloc[rows[0]]
        paths = [list(table["path"].iloc[index]) for table, index in zip(tables, rows, strict=True)]
        groups[suffix] = Pairs(
            prompts=list(base_rows["prompt"]), texts=list(base_rows["text"]), rows=rows, paths=(paths[0], paths[1])
        )
    return groups
