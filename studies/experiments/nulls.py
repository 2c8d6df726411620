"""Two sets of images between which there is no difference, drawn from images that are there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Pairs = dict[str, tuple[Rows, Rows]]
"""By prompt: the pool's images that are called base and tuned, in one order of pairs."""

Findings = dict[str, NDArray[np.int_]]
"""By prompt: 0 or 1 of each image."""


def other_seeds(rng: np.random.Generator, sizes: Mapping[str, int], most: int) -> Pairs:
    """Disjoint random halves, of `most` images at most, of each prompt's images, paired at random."""
    drawn = {prompt: rng.permutation(size) for prompt, size in sizes.items()}
    counts = {prompt: min(most, size // 2) for prompt, size in sizes.items()}
    return {prompt: (rows[: counts[prompt]], rows[len(rows) - counts[prompt] :]) for prompt, rows in drawn.items()}


def labels_swapped(rng: np.random.Generator, distances: Mapping[str, NDArray[np.float64]], most: int) -> Pairs:
    """`most` pairs of images that are alike: each in random order takes the free one nearest to it; a coin names them.

    Args:
        distances: of the images of each prompt, shape (n, n).
    """
    found = {}
    for prompt, matrix in distances.items():
        free = [int(row) for row in rng.permutation(len(matrix))]
        pairs: list[tuple[int, int]] = []
        while len(free) > 1 and len(pairs) < most:
            one = free.pop()
            pairs.append((one, free.pop(int(np.argmin(matrix[one, free])))))
        swapped = np.array([pair if rng.random() < 0.5 else pair[::-1] for pair in pairs])
        found[prompt] = (swapped[:, 0], swapped[:, 1])
    return found


def swapped_findings(rng: np.random.Generator, pairs: pd.DataFrame) -> tuple[Findings, Findings]:
    """Paired findings by prompt, each pair with its labels swapped by a coin."""
    base, tuned = {}, {}
    for prompt, own in pairs.groupby("prompt"):
        swap = rng.random(len(own)) < 0.5
        base[str(prompt)] = np.where(swap, own["tuned"], own["base"])
        tuned[str(prompt)] = np.where(swap, own["base"], own["tuned"])
    return base, tuned
