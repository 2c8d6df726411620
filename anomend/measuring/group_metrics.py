"""Figures of the target and of the held-out samples by pixels and by the main extractor, as a metric file names them.

Keys of the target prompts are plain, those of the held-out prompts end in `_held_out`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from anomend.measuring import set_metrics
from anomend.measuring.features import Images
from anomend.measuring.memorisation import copies_by_features, copies_by_structure, copy_rate
from anomend.measuring.psnr import psnr_within
from anomend.measuring.set_metrics import Features, Figures, mean_over
from anomend.measuring.ssim import ssim_within

SUFFIXES = {"target": "", "held_out": "_held_out"}


class Group(NamedTuple):
    """Samples of target or of held-out prompts."""

    rows: Sequence[int]
    """All of them."""
    sets: Mapping[str, Sequence[int]]
    """By prompt, those on which measures within a set are taken."""


def groups_of(table: pd.DataFrame, limit: int) -> dict[str, Group]:
    """Both groups, by the suffix of their keys.

    Args:
        table: `group`, `prompt` and `seed` of all samples, with row numbers as index.
        limit: so many seeds of a prompt, the first ones, enter the measures within a set.
    """
    groups = {}
    for group, suffix in SUFFIXES.items():
        own = table[table["group"] == group]
        by_prompt = own.sort_values("seed").groupby("prompt", sort=True)
        groups[suffix] = Group(list(own.index), {str(prompt): list(rows.index[:limit]) for prompt, rows in by_prompt})
    return groups


def similarity_figures(images: Images, sets: Mapping[str, Sequence[int]]) -> Figures:
    """SSIM and PSNR within prompts."""
    chosen = [[images[row] for row in rows] for rows in sets.values()]
    return {
        "ssim_within": mean_over([ssim_within(own) for own in chosen]),
        "psnr_within": mean_over([psnr_within(own) for own in chosen]),
    }


def feature_figures(features: Features, instances: Features, group: Group, extractor: str) -> Figures:
    """Diversity, distances to the instance images and manifold figures of a group, by the main extractor.

    Args:
        features: of all samples, shape (n, d).
        instances: shape (m, d).
        group: which samples.
        extractor: its name.
    """
    samples = features[list(group.rows)]
    own = set_metrics.joined(
        set_metrics.diversity_figures(features, group.sets), set_metrics.distance_figures(samples, instances)
    )
    named = {name + (f"_{extractor}" if name in ("frechet", "kernel") else ""): own[name] for name in own}
    return named | {f"manifold_{extractor}": set_metrics.manifold_figures(samples, instances)}


def copy_figures(images: Images, instance_images: Images, features: Features, instances: Features) -> Figures:
    """Copies of instance images among samples, by either detector and by each, and each one's false alarms.

    Args:
        images: the group's samples.
        instance_images: the training images.
        features: of the samples, shape (n, d).
        instances: of the training images, shape (m, d).
    """
    by_structure, by_features = copies_by_structure(images, instance_images), copies_by_features(features, instances)
    copies = copy_rate([by_structure, by_features])
    figures: Figures = {
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
    return figures | {name: note for name, note in notes.items() if note}


def group_figures(
    suffix: str,
    group: Group,
    images: Images,
    instance_images: Images,
    features: Features,
    instances: Features,
    extractor: str,
) -> Figures:
    """Every figure of a group by pixels and by the main extractor, under its keys.

    Of the held-out prompts the copy rate stands alone: thresholds and false alarms are those of the instance images.

    Args:
        suffix: of the keys; see `groups_of`.
        group: which samples.
        images, instance_images, features, instances, extractor: all samples' and the training images', as above.
    """
    own = similarity_figures(images, group.sets) | feature_figures(features, instances, group, extractor)
    copies = copy_figures([images[row] for row in group.rows], instance_images, features[list(group.rows)], instances)
    if suffix:
        copies = {name: copies[name] for name in ("copy_rate", "copy_rate_reason") if name in copies}
    return {suffixed(name, suffix): value for name, value in (own | copies).items()}


def suffixed(name: str, suffix: str) -> str:
    """`diversity` -> `diversity_held_out`; a note keeps its ending: `frechet_warning` -> `frechet_held_out_warning`."""
    for note in ("reason", "warning"):
        if name.endswith(note):
            return f"{name.removesuffix(note).rstrip('_')}{suffix}_{note}".lstrip("_")
    return name + suffix
