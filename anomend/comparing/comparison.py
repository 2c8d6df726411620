"""All that stage `compare` does: tuned against base, measure by measure, paired by prompt and seed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from anomend.comparing.anomalies import anomaly_effects, held_out_parts, pair_counts, sibling_effect
from anomend.comparing.effects import (
    Effects,
    clip_effects,
    instance_effects,
    perceptual_effects,
    resampling,
    within_set_effects,
)
from anomend.comparing.pairs import Pairs
from anomend.comparing.right_diversity import right_diversity
from anomend.detectors.table import PROVEN
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import Images
from anomend.measuring.set_metrics import Features, Metrics
from anomend.params.evaluation import CompareParams, MeasureParams
from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.project.paths import MODELS
from anomend.statistics.effect import Better
from anomend.statistics.exact_tests import holm

NO_DETECTOR = "none"
UNPROVEN = (
    "has not been shown to be right about this run's pictures: let people label some of them, and set verdict.evidence "
    "to people+machine (docs/people.md)"
)
"""Why a detector without people's labels decides nothing."""


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What stage `measure` wrote about both models; mappings are by model (`base`, `tuned`)."""

    per_image: Mapping[str, pd.DataFrame]
    """One row per image: `group`, `prompt`, `seed`, `anomalous`."""
    metrics: Mapping[str, Metrics]
    """Content of the metric files."""
    features: Mapping[str, Features]
    """Of the samples, each of shape (n, d), in the order of the image sets."""
    instances: Features
    """Of the instance images, shape (m, d)."""


def compare_models(
    measured: Measurements,
    pairs: Mapping[str, Pairs],
    instance_images: Images,
    *,
    preserved: Collection[str],
    settings: CompareParams,
    measure: MeasureParams,
    store: FeatureStore,
    words: ModelWords = BASE_AND_TUNED,
) -> dict[str, Any]:
    """Effects of all measures, with Holm's correction over all of them.

    Args:
        measured: what was measured on either model's samples.
        pairs: by suffix of the keys, pairs of images; see `read_pairs`.
        instance_images: the training images.
        preserved: the held-out prompts of which there are class images.
        settings: seed, resamples and level of the intervals.
        measure: what was measured.
        store: keeps features and perceptual distances.
        words: what the two models are called.

    Returns:
        One object per measure, the content of metrics/compare.json without provenance.

    Raises:
        ValueError: the measurements contradict each other, or an image has no partner.
    """
    effects = anomaly_effects(measured.per_image, measured.metrics, resampling(settings))
    for suffix, group in pairs.items():
        of_group = group_effects(
            group,
            measured=measured,
            instance_images=instance_images,
            nearer="closer" if suffix else "lower",
            settings=settings,
            measure=measure,
            store=store,
        )
        effects |= {f"{name}{suffix}": effect for name, effect in of_group.items()}
    adjusted = holm({name: effect.p for name, effect in effects.items()})
    metrics = {name: effect.as_dict() | {"p_holm": adjusted[name]} for name, effect in effects.items()}
    metrics |= sibling_effect(measured.per_image, measured.metrics, resampling(settings))
    for name, counts in pair_counts(measured.per_image).items():
        metrics[name] |= counts
    metrics |= held_out_parts(measured.per_image, preserved, resampling(settings))
    metrics = with_caution(metrics, measured.metrics["base"]["provenance"])
    metrics["diversity_right"] = right_diversity(
        pairs,
        measured.per_image,
        measured.features,
        instances=measured.instances,
        confidence=settings.confidence,
        words=words,
    )
    return metrics | frechet_entry(measure.extractor, measured.metrics)


def group_effects(
    pairs: Pairs,
    *,
    measured: Measurements,
    instance_images: Images,
    nearer: Better,
    settings: CompareParams,
    measure: MeasureParams,
    store: FeatureStore,
) -> Effects:
    """Every measure except the anomaly rate on one group of prompts.

    Args:
        pairs: of the group.
        measured: read are the features.
        instance_images: the training images.
        nearer: how the kernel distance improves: `lower` where nearness to the instance images is the aim.
        settings: seed, resamples and level of the intervals.
        measure: what was measured.
        store: keeps features and perceptual distances.
    """
    how = resampling(settings)
    features = np.stack([measured.features[model][rows] for model, rows in zip(MODELS, pairs.rows, strict=True)])
    return {
        **within_set_effects(pairs, features, measure, how=how),
        **perceptual_effects(pairs, instance_images, measure, store=store, how=how),
        **instance_effects(pairs, features, measured.instances, extractor=measure.extractor, nearer=nearer, how=how),
        **clip_effects(pairs, measure, store=store, how=how),
    }


def with_caution(metrics: dict[str, Metrics], provenance: Mapping[str, Any]) -> dict[str, Metrics]:
    """The metrics; anomaly rates of a detector whose anomalies are not proof have a `caution` that says so.

    A detector's own caution is about what it can see at all; without one, it lacks people's labels of these pictures.
    """
    detector = provenance.get("detector")
    caution = provenance.get("detector_caution")
    if not caution and detector not in (None, NO_DETECTOR) and detector not in PROVEN:
        caution = UNPROVEN
    if not caution:
        return metrics
    words = {"caution": f"the detector {detector} {caution}"}
    return {name: values | words if name.startswith("anomaly_rate_") else values for name, values in metrics.items()}


def frechet_entry(extractor: str, measured: Mapping[str, Metrics]) -> dict[str, Any]:
    """Both models' Frechet distances, without interval and p.

    Args:
        extractor: name of the main extractor.
        measured: by model, the content of its metric file.
    """
    key, base, tuned = f"frechet_{extractor}", measured["base"], measured["tuned"]
    n = base["provenance"]["n_target"]
    delta = None if base[key] is None or tuned[key] is None else tuned[key] - base[key]
    note = "reason" if delta is None else "frechet_warning"
    reason = base.get(note) or tuned.get(note) or "its bias depends on the size of the sets; see the kernel distance"
    values = {"base": base[key], "tuned": tuned[key], "delta": delta}
    nothing = {"ci_low": None, "ci_high": None, "p": None}
    return {key: values | nothing | {"n": n, "clusters": None, "better": "lower", "method": "none", "reason": reason}}
