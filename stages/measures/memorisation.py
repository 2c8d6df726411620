"""Memorisation: does the model return its training images?

A sample is called a copy where either of two detectors says so; the copy rate (0 to 1) is better lower. The base model,
which never saw these images, shows how many "copies" are found by chance: read the two rates together.

By structure (`structure`): a sample shows the same shapes in the same places as an instance image, mirrored or shifted
a little. The threshold is half the distance that an instance image typically has to its nearest other one: unseen
images of the same subject stay beyond it, an instance image that has gone through the model's autoencoder is far
within. It is never below FLOOR, so that near duplicates among the instance images, or a single one, cannot hide a
copy.

By features: the cosine of a sample's features with its nearest instance image is higher than instance images reach
among each other, each left out in turn. It finds copies that were recoloured, scaled or cut; on a narrow set (one
subject, one drawing style) it hardly finds any, which `warning` says. Three instance images are the least.

References: Carlini et al. 2023, arXiv:2301.13188 (distance to the nearest training image against its neighbours');
Somepalli et al. 2023, arXiv:2212.03860 (copy detection by nearest features).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stages.measures.diversity import cosine_similarity
from stages.measures.statistics import wilson_interval
from stages.measures.structure import structural_distance, thumbnails

NEAR_DUPLICATE = 0.98
"""A feature threshold from here on leaves no room above it in which a copy would show."""
FLOOR = 0.2
"""Structural distance below which two pictures are one whatever the set: a correlation of .98."""


@dataclass(frozen=True)
class Copies:
    """What one detector found."""

    found: NDArray[np.bool_] | None
    """One a sample; None where it cannot tell."""
    threshold: float | None
    rate: float | None
    warning: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class CopyRate:
    """Share of samples that any detector calls a copy, with its Wilson interval."""

    rate: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
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


def copies_by_features(samples: ArrayLike, instances: ArrayLike, quantile: float = 0.99) -> Copies:
    """Samples that are nearer to an instance image than instance images are to each other, by features.

    Args:
        samples: features, shape (n, d).
        instances: features of the training images, shape (m, d).
        quantile: of the leave-one-out similarities; 1 takes their maximum.

    Returns:
        The copies; None with a reason without samples, or with fewer than three instance images.
    """
    n, count = len(np.asarray(samples)), len(np.asarray(instances))
    threshold = copy_threshold(instances, quantile)
    if threshold is None or n == 0:
        reason = "no samples" if n == 0 else f"{count} instance images: a threshold needs at least 3"
        return Copies(None, threshold, None, reason=reason)
    found = nearest_instance_similarity(samples, instances) > threshold
    warning = None
    if threshold >= NEAR_DUPLICATE:
        warning = f"the instance images are near duplicates of each other by features (threshold {threshold:.3f})"
    return Copies(found, threshold, float(found.mean()), warning)


def copies_by_structure(samples: Sequence[NDArray[np.uint8]], instances: Sequence[NDArray[np.uint8]]) -> Copies:
    """Samples that show the same shapes in the same places as an instance image.

    Args:
        samples: images, each (H, W, 3).
        instances: the training images.

    Returns:
        The copies; None with a reason without samples or instance images.
    """
    if len(samples) == 0 or len(instances) == 0:
        return Copies(None, None, None, reason="no samples" if len(samples) == 0 else "no instance images")
    known = thumbnails(instances)
    threshold = FLOOR
    if len(instances) >= 3:
        among = structural_distance(known, known)
        np.fill_diagonal(among, np.inf)
        threshold = max(FLOOR, float(np.median(among.min(axis=1))) / 2)
    found = structural_distance(thumbnails(samples), known).min(axis=1) < threshold
    return Copies(found, threshold, float(found.mean()))


def copy_rate(detectors: Sequence[Copies]) -> CopyRate:
    """Share of samples that any of the detectors calls a copy; None with a reason where none can tell."""
    known = [each.found for each in detectors if each.found is not None]
    if not known:
        return CopyRate(None, None, None, 0, reason="; ".join(each.reason for each in detectors if each.reason))
    found = np.logical_or.reduce(known)
    warnings = [each.warning for each in detectors if each.warning]
    n, copies = len(found), int(found.sum())
    return CopyRate(copies / n, *wilson_interval(copies, n), n, warning="; ".join(warnings) or None)
