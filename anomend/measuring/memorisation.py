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

False alarms: the highest similarity among m instance images (the default quantile, up to 101 of them) is passed by
2 / (m + 1) of fresh pictures of the very same kind, since any two of the m + 1 may be the nearest pair. That is 9.5% at
20 instance images and a third at five. A model's samples are further away as a rule, which the base model's own rate
shows. `held_out_rate` measures it for either detector: each instance image in turn is shown to the detector calibrated
without it. Above HELD_OUT_LIMIT `warning` says so. One or two instance images are judged by structure alone, at FLOOR.

References: Carlini et al. 2023, arXiv:2301.13188 (distance to the nearest training image against its neighbours');
Somepalli et al. 2023, arXiv:2212.03860 (copy detection by nearest features).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomend.measuring.diversity import cosine_similarity
from anomend.measuring.held_out import held_out_rate, nearest_others
from anomend.measuring.structure import structural_distance, thumbnails
from anomend.statistics import wilson_interval

NEAR_DUPLICATE = 0.98
"""A feature threshold from here on leaves no room above it in which a copy would show."""
FLOOR = 0.2
"""Structural distance below which two pictures are one whatever the set: a correlation of .98."""
HELD_OUT_LIMIT = 0.1
"""A detector that takes more of the instance images for copies of each other is warned about."""
_ONE = 1 - 1e-6


@dataclass(frozen=True)
class Copies:
    """What one detector found."""

    found: NDArray[np.bool_] | None
    """One a sample; None where it cannot tell."""
    threshold: float | None
    rate: float | None
    warning: str | None = None
    reason: str | None = None
    held_out_rate: float | None = None
    """Share of instance images that the detector, calibrated without them, calls copies of the others: its rate of
    false alarms on pictures of their kind. None for fewer than three instance images."""


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

    Raises:
        ValueError: there is no instance image, or a feature vector is zero or not finite.
    """
    if len(np.asarray(instances)) == 0:
        raise ValueError("no instance images: a nearest one needs at least one")
    return cosine_similarity(samples, instances).max(axis=1)


def copy_threshold(instances: ArrayLike, quantile: float = 0.99) -> float | None:
    """Quantile (1: the maximum) of the instance images' leave-one-out nearest similarities; None for fewer than 3."""
    values = np.asarray(instances)
    if len(values) < 3:
        return None
    return float(np.quantile(-nearest_others(-cosine_similarity(values, values))[0], quantile))


def copies_by_features(samples: ArrayLike, instances: ArrayLike, quantile: float = 0.99) -> Copies:
    """Samples that are nearer to an instance image than instance images are to each other, by features.

    Args:
        samples: features, shape (n, d).
        instances: features of the training images, shape (m, d).
        quantile: of the leave-one-out similarities; 1 takes their maximum.

    Returns:
        The copies; None with a reason without samples, with fewer than three instance images, or where these have equal
        features, so that nothing could be nearer.

    Raises:
        ValueError: a feature vector is zero or not finite.
    """
    n, count = len(np.asarray(samples)), len(np.asarray(instances))
    threshold = copy_threshold(instances, quantile)
    if n == 0:
        return Copies(None, threshold, None, reason="no samples")
    if threshold is None:
        return Copies(None, None, None, reason=f"{count} instance images: a threshold needs at least 3")
    if threshold > _ONE:
        return Copies(None, threshold, None, reason="instance images have equal features: no copy could be nearer")
    found = nearest_instance_similarity(samples, instances) > threshold
    among = -cosine_similarity(instances, instances)
    held_out = held_out_rate(among, lambda nearest: float(np.quantile(nearest, 1 - quantile)))
    warnings = [_held_out_warning("features", held_out, count)]
    if threshold >= NEAR_DUPLICATE:
        near = f"the instance images are near duplicates of each other by features (threshold {threshold:.3f})"
        warnings.append(near)
    return Copies(found, threshold, float(found.mean()), _joined(warnings), held_out_rate=held_out)


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
    among = structural_distance(known, known)
    threshold = _structure_threshold(nearest_others(among)[0])
    found = structural_distance(thumbnails(samples), known).min(axis=1) < threshold
    held_out = held_out_rate(among, _structure_threshold)
    warning = _held_out_warning("structure", held_out, len(instances))
    return Copies(found, threshold, float(found.mean()), warning, held_out_rate=held_out)


def copy_rate(detectors: Sequence[Copies]) -> CopyRate:
    """Share of samples that any of the detectors calls a copy; None with a reason where none can tell.

    Raises:
        ValueError: the detectors looked at different numbers of samples.
    """
    known = [each.found for each in detectors if each.found is not None]
    if not known:
        return CopyRate(None, None, None, 0, reason="; ".join(each.reason for each in detectors if each.reason))
    if len({len(each) for each in known}) != 1:
        raise ValueError(
            f"the detectors looked at {', '.join(str(len(each)) for each in known)} samples: show them the same"
        )
    found = np.logical_or.reduce(known)
    n, copies = len(found), int(found.sum())
    return CopyRate(copies / n, *wilson_interval(copies, n), n, warning=_joined(each.warning for each in detectors))


def _structure_threshold(nearest: NDArray[np.float64]) -> float:
    return max(FLOOR, float(np.median(nearest)) / 2) if len(nearest) >= 3 else FLOOR


def _held_out_warning(detector: str, rate: float | None, count: int) -> str | None:
    if rate is None or rate <= HELD_OUT_LIMIT:
        return None
    return (
        f"by {detector}, {round(rate * count)} of {count} instance images, each held out, are taken for copies of the"
        " others: read the rate beside the base model's"
    )


def _joined(warnings: Iterable[str | None]) -> str | None:
    return "; ".join(warning for warning in warnings if warning) or None
