"""Metrics of the target and of the held-out samples by pixels and by the main extractor, as a metric file names them.

Keys of the target prompts are plain. Keys of the held-out prompts end in `_held_out`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from anomend.measuring import set_metrics
from anomend.measuring.features import Images
from anomend.measuring.memorisation import copies_by_features, copies_by_structure, copy_rate
from anomend.measuring.psnr import psnr_within
from anomend.measuring.set_metrics import Features, Metrics, mean_over
from anomend.measuring.ssim import ssim_within

SUFFIXES = {"target": "", "held_out": "_held_out"}


class Group(NamedTuple):
    """Samples of target or of held-out prompts."""

    rows: Sequence[int]
    """All of them."""
    sets: Mapping[str, Sequence[int]]
    """By prompt, the rows on which measures within a set are taken."""


def groups_of(table: pd.DataFrame, limit: int) -> dict[str, Group]:
    """Both groups, by the suffix of their keys.

    Args:
        table: `group`, `prompt` and `seed` of all samples, with row numbers as index.
        limit: number of seeds per prompt, the first ones, that enter the measures within a set.
    """
    groups = {}
    for group, suffix in SUFFIXES.items():
        samples = table[table["group"] == group]
        by_prompt = samples.sort_values("seed").groupby("prompt", sort=True)
        groups[suffix] = Group(
            list(samples.index), {str(prompt): list(rows.index[:limit]) for prompt, rows in by_prompt}
        )
    return groups


def similarity_metrics(images: Images, sets: Mapping[str, Sequence[int]]) -> Metrics:
    """SSIM and PSNR within prompts."""
    by_prompt = [[images[row] for row in rows] for rows in sets.values()]
    return {
        "ssim_within": mean_over([ssim_within(pictures) for pictures in by_prompt]),
        "psnr_within": mean_over([psnr_within(pictures) for pictures in by_prompt]),
    }


def feature_metrics(*, features: Features, instances: Features, group: Group, extractor: str) -> Metrics:
    """Diversity, distances to the instance images and manifold metrics of a group, by the main extractor.

    Args:
        features: of all samples, shape (n, d).
        instances: shape (m, d).
        group: which samples.
        extractor: its name.
    """
    samples = features[list(group.rows)]
    metrics = set_metrics.joined(
        set_metrics.diversity_metrics(features, group.sets), set_metrics.distance_metrics(samples, instances)
    )
    named = {name + (f"_{extractor}" if name in ("frechet", "kernel") else ""): metrics[name] for name in metrics}
    return named | {f"manifold_{extractor}": set_metrics.manifold_metrics(samples, instances)}


def copy_metrics(*, images: Images, instance_images: Images, features: Features, instances: Features) -> Metrics:
    """Copies of instance images among samples, by both detectors together and by each, and each one's false alarms.

    Args:
        images: the group's samples.
        instance_images: the training images.
        features: of the samples, shape (n, d).
        instances: of the training images, shape (m, d).
    """
    by_structure, by_features = copies_by_structure(images, instance_images), copies_by_features(features, instances)
    copies = copy_rate([by_structure, by_features])
    metrics: Metrics = {
        "copy_rate": copies.rate,
        "copy_rate_structure": by_structure.rate,
        "copy_rate_features": by_features.rate,
        "copy_threshold_structure": by_structure.threshold,
        "copy_threshold_features": by_features.threshold,
        "copy_false_alarms_structure": by_structure.held_out_rate,
        "copy_false_alarms_features": by_features.held_out_rate,
    }
    notes = {
        "copy_rate_warning": copies.warning,
        "copy_rate_reason": copies.reason or by_features.reason,
        "copy_false_alarms_reason": by_features.reason,
    }
    return metrics | {name: note for name, note in notes.items() if note}


def group_metrics(
    suffix: str,
    group: Group,
    *,
    images: Images,
    instance_images: Images,
    features: Features,
    instances: Features,
    extractor: str,
) -> Metrics:
    """Every metric of a group by pixels and by the main extractor, under its keys.

    Held-out prompts have the copy rate only: thresholds and false alarms depend on the instance images alone.

    Args:
        suffix: of the keys; see `groups_of`.
        group: which samples.
        images: all samples.
        instance_images: the training images.
        features: of all samples, shape (n, d).
        instances: features of the training images, shape (m, d).
        extractor: name of the main extractor.
    """
    metrics = similarity_metrics(images, group.sets)
    metrics |= feature_metrics(features=features, instances=instances, group=group, extractor=extractor)
    copies = copy_metrics(
        images=[images[row] for row in group.rows],
        instance_images=instance_images,
        features=features[list(group.rows)],
        instances=instances,
    )
    if suffix:
        copies = {name: copies[name] for name in ("copy_rate", "copy_rate_reason") if name in copies}
    return {suffixed(name, suffix): value for name, value in (metrics | copies).items()}


def suffixed(name: str, suffix: str) -> str:
    """`diversity` -> `diversity_held_out`; a note keeps its ending: `frechet_warning` -> `frechet_held_out_warning`."""
    for note in ("reason", "warning"):
        if name.endswith(note):
            return f"{name.removesuffix(note).rstrip('_')}{suffix}_{note}".lstrip("_")
    return name + suffix
