"""Memorisation: does the model return its training images?

A sample is called a copy if either of two detectors says so. The copy rate is from 0 to 1, lower is better. Read it
together with the rate of the base model, which never saw the training images: it shows how many "copies" are found by
chance.

By structure (`structure`): a sample shows the same shapes in the same places as an instance image, mirrored or shifted
a little. The threshold is half the typical distance of an instance image to its nearest other one. Unseen images of the
same subject are farther away, and an instance image that has gone through the model's autoencoder is far nearer. The
threshold is never below FLOOR, so near duplicates among the instance images, or a single instance image, cannot hide a
copy.

By features: a sample is nearer to an instance image than instance images are to each other, each left out in turn, by
the cosine of their features. This finds copies that were recoloured, scaled or cropped. On a narrow set (one subject,
one drawing style) it hardly finds any, and `warning` says so. It needs three instance images.

False alarms: the highest similarity among m instance images (the default quantile, for up to 101 of them) is exceeded
by 2 / (m + 1) of fresh pictures of the same kind, because any two of the m + 1 may be the nearest pair. That is 9.5% at
20 instance images and a third at five. A model's samples are usually farther away, as the base model's rate shows.
`held_out_rate` measures false alarms of either detector: each instance image in turn is shown to the detector
calibrated without it. Above HELD_OUT_LIMIT `warning` says so. One or two instance images are judged by structure only,
at FLOOR.

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

NEAR_DUPLICATE = 0.98
"""Above a feature threshold this high there is no room in which a copy would show."""
FLOOR = 0.2
"""Structural distance below which two pictures are copies in any set: a correlation of .98."""
HELD_OUT_LIMIT = 0.1
"""There is a warning about a detector that takes more of the instance images for copies of each other."""
_ONE = 1 - 1e-6


@dataclass(frozen=True, kw_only=True)
class Copies:
    """The copies that one detector found."""

    copied: NDArray[np.bool_] | None = None
    """Whether each sample is a copy, shape (n,); None where the detector cannot tell."""
    threshold: float | None = None
    """Largest distance, or least similarity, of a copy."""
    rate: float | None = None
    """Share of copies among the samples."""
    warning: str | None = None
    reason: str | None = None
    held_out_rate: float | None = None
    """Share of instance images that the detector, calibrated without them, calls copies of the others: its rate of
    false alarms on pictures of their kind. None for fewer than three instance images."""


@dataclass(frozen=True, kw_only=True)
class CopyRate:
    """Share of samples that any detector calls a copy."""

    rate: float | None
    """From 0 to 1; None where no detector can tell."""
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
    """Quantile (1: the maximum) of the instance images' similarities to their nearest others; None for fewer than 3."""
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
        The copies. None with a reason without samples, with fewer than three instance images, and if these have equal
        features, because no sample could then be nearer.

    Raises:
        ValueError: a feature vector is zero or not finite.
    """
    n, count = len(np.asarray(samples)), len(np.asarray(instances))
    threshold = copy_threshold(instances, quantile)
    if n == 0:
        return Copies(threshold=threshold, reason="no samples")
    if threshold is None:
        return Copies(reason=f"{count} instance images: a threshold needs at least 3")
    if threshold > _ONE:
        return Copies(threshold=threshold, reason="instance images have equal features: no copy could be nearer")
    copied = nearest_instance_similarity(samples, instances) > threshold
    among = -cosine_similarity(instances, instances)
    held_out = held_out_rate(among, lambda nearest: float(np.quantile(nearest, 1 - quantile)))
    warnings = [_held_out_warning("features", held_out, count)]
    if threshold >= NEAR_DUPLICATE:
        near = f"the instance images are near duplicates of each other by features (threshold {threshold:.3f})"
        warnings.append(near)
    return Copies(
        copied=copied,
        threshold=threshold,
        rate=float(copied.mean()),
        warning=_joined(warnings),
        held_out_rate=held_out,
    )


def copies_by_structure(samples: Sequence[NDArray[np.uint8]], instances: Sequence[NDArray[np.uint8]]) -> Copies:
    """Samples that show the same shapes in the same places as an instance image.

    Args:
        samples: images, each (H, W, 3).
        instances: the training images.

    Returns:
        The copies; None with a reason without samples or without instance images.
    """
    if len(samples) == 0 or len(instances) == 0:
        return Copies(reason="no samples" if len(samples) == 0 else "no instance images")
    training = thumbnails(instances)
    among = structural_distance(training, training)
    threshold = _structure_threshold(nearest_others(among)[0])
    copied = structural_distance(thumbnails(samples), training).min(axis=1) < threshold
    held_out = held_out_rate(among, _structure_threshold)
    return Copies(
        copied=copied,
        threshold=threshold,
        rate=float(copied.mean()),
        warning=_held_out_warning("structure", held_out, len(instances)),
        held_out_rate=held_out,
    )


def copy_rate(detectors: Sequence[Copies]) -> CopyRate:
    """Share of samples that any of the detectors calls a copy; None with a reason where none can tell.

    Raises:
        ValueError: the detectors saw different numbers of samples.
    """
    by_detector = [each.copied for each in detectors if each.copied is not None]
    if not by_detector:
        return CopyRate(rate=None, reason="; ".join(each.reason for each in detectors if each.reason))
    if len({len(copied) for copied in by_detector}) != 1:
        raise ValueError(
            f"the detectors saw {', '.join(str(len(copied)) for copied in by_detector)} samples: give them the same"
        )
    copied = np.logical_or.reduce(by_detector)
    return CopyRate(rate=int(copied.sum()) / len(copied), warning=_joined(each.warning for each in detectors))


def _structure_threshold(nearest: NDArray[np.float64]) -> float:
    return max(FLOOR, float(np.median(nearest)) / 2) if len(nearest) >= 3 else FLOOR


def _held_out_warning(detector: str, rate: float | None, count: int) -> str | None:
    if rate is None or rate <= HELD_OUT_LIMIT:
        return None
    return (
        f"by {detector}, {round(rate * count)} of {count} instance images, each held out, are taken for copies of the"
        " others: compare the rate with the base model's"
    )


def _joined(warnings: Iterable[str | None]) -> str | None:
    return "; ".join(warning for warning in warnings if warning) or None
