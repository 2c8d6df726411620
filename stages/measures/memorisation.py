"""Memorisation: does the model return its training images?

Each sample's similarity to its nearest instance image is the cosine of their features, from -1 to 1. Some rise under
fine-tuning is the purpose; a sample that is nearer to an instance image than instance images are to each other is
called a copy, and the copy rate (0 to 1) is better lower. The base model, which never saw these images, shows how many
"copies" the threshold finds by chance: read the two rates together.

The threshold is calibrated on held-out instance images: each is left out in turn, and its similarity to the nearest of
the others is what an image of the same subject reaches without having been seen. It stands and falls with that set.
Where instance images are near duplicates of each other (one prompt, one drawing style, frames of one video), left-out
images find their twin, the threshold goes towards 1, and true copies go unnoticed: a copy rate of 0 means nothing then,
which `warning` says. Curate near duplicates away first. Three instance images are the least; below some twenty the 0.99
quantile is in effect the maximum.

Reference: Somepalli et al. 2023, arXiv:2212.03860 (copy detection by nearest features).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.measures.diversity import cosine_similarity
from stages.measures.statistics import wilson_interval

NEAR_DUPLICATE = 0.98
"""A threshold from here on leaves no room above it in which a copy would show."""


@dataclass(frozen=True)
class CopyRate:
    """Share of samples above the threshold, with its Wilson interval."""

    rate: float | None
    ci_low: float | None
    ci_high: float | None
    threshold: float | None
    n: int
    instances: int
    warning: str | None = None
    reason: str | None = None


def nearest_instance_similarity(samples: ArrayLike, instances: ArrayLike) -> NDArray[np.float64]:
    """Cosine of each sample with its nearest instance image.

    Args:
        samples: features, shape (n, d).
        instances: features of the training images, shape (m, d), m >= 1.

    Returns:
        Shape (n,), from -1 to 1.
    """
    return cosine_similarity(samples, instances).max(axis=1)


def copy_threshold(instances: ArrayLike, quantile: float = 0.99) -> float | None:
    """Quantile (1: the maximum) of the instance images' leave-one-out nearest similarities; None for fewer than 3."""
    values = np.asarray(instances)
    if len(values) < 3:
        return None
    similarities = cosine_similarity(values, values)
    np.fill_diagonal(similarities, -np.inf)
    return float(np.quantile(similarities.max(axis=1), quantile))


def copy_rate(samples: ArrayLike, instances: ArrayLike, quantile: float = 0.99) -> CopyRate:
    """Share of samples that are nearer to an instance image than instance images are to each other.

    Args:
        samples: features, shape (n, d).
        instances: features of the training images, shape (m, d).
        quantile: of the leave-one-out similarities; 1 takes their maximum.

    Returns:
        The rate; None with a reason without samples, or with fewer than three instance images.
    """
    n, count = len(np.asarray(samples)), len(np.asarray(instances))
    threshold = copy_threshold(instances, quantile)
    if threshold is None or n == 0:
        reason = "no samples" if n == 0 else f"{count} instance images: a threshold needs at least 3"
        return CopyRate(None, None, None, threshold, n, count, reason=reason)
    copies = int((nearest_instance_similarity(samples, instances) > threshold).sum())
    warning = None
    if threshold >= NEAR_DUPLICATE:
        warning = (
            f"the instance images are near duplicates of each other (threshold {threshold:.3f}): copies go unnoticed"
        )
    return CopyRate(copies / n, *wilson_interval(copies, n), threshold, n, count, warning)
