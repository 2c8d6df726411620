"""Two sets of images without a difference, drawn from existing images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Pairs = dict[str, tuple[Rows, Rows]]
"""By prompt: the pool's images that are called base and tuned, in one order of pairs."""

Anomalous = dict[str, NDArray[np.int_]]
"""By prompt: 1 for each image with an anomaly, else 0."""


def other_seeds(rng: np.random.Generator, sizes: Mapping[str, int], most: int) -> Pairs:
    """Disjoint random halves, of `most` images at most, of each prompt's images, paired at random."""
    drawn = {prompt: rng.permutation(size) for prompt, size in sizes.items()}
    counts = {prompt: min(most, size // 2) for prompt, size in sizes.items()}
    return {prompt: (rows[: counts[prompt]], rows[len(rows) - counts[prompt] :]) for prompt, rows in drawn.items()}


def labels_swapped(rng: np.random.Generator, distances: Mapping[str, NDArray[np.float64]], most: int) -> Pairs:
    """Up to `most` pairs of similar images per prompt; a coin decides which one is called the tuned image.

    In random order, each image is paired with the nearest image that has no partner yet.

    Args:
        distances: of the images of each prompt, shape (n, n).
    """
    named = {}
    for prompt, matrix in distances.items():
        free = [int(row) for row in rng.permutation(len(matrix))]
        pairs: list[tuple[int, int]] = []
        while len(free) > 1 and len(pairs) < most:
            one = free.pop()
            pairs.append((one, free.pop(int(np.argmin(matrix[one, free])))))
        swapped = np.array([pair if rng.random() < 0.5 else pair[::-1] for pair in pairs])
        named[prompt] = (swapped[:, 0], swapped[:, 1])
    return named


def swapped_anomalies(rng: np.random.Generator, pairs: pd.DataFrame) -> tuple[Anomalous, Anomalous]:
    """Paired anomalies by prompt; a coin swaps the labels of each pair."""
    base, tuned = {}, {}
    for prompt, rows in pairs.groupby("prompt"):
        swap = rng.random(len(rows)) < 0.5
        base[str(prompt)] = np.where(swap, rows["tuned"], rows["base"])
        tuned[str(prompt)] = np.where(swap, rows["base"], rows["tuned"])
    return base, tuned
