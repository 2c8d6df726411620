"""Every metric of one group of samples (target or held-out prompts) by one kind of features, as a metric file has it.

A metric that a set is too small for is null, and its object then has a `reason`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomend.measuring import density_coverage, precision_recall
from anomend.measuring.clip_score import clip_scores
from anomend.measuring.cmmd import cmmd
from anomend.measuring.density_coverage import DensityCoverage
from anomend.measuring.diversity import cosine_distance_matrix, vendi_score
from anomend.measuring.frechet import frechet_distance
from anomend.measuring.kernel_distance import kernel_distance
from anomend.measuring.memorisation import nearest_instance_similarity
from anomend.measuring.precision_recall import PrecisionRecall
from anomend.statistics.within_set import mean_within_sets, within_set_mean

Features = NDArray[np.float32]
Metrics = dict[str, Any]

DISTANCES = ("frechet", "kernel", "nearest_instance_similarity")
MANIFOLD = (*PrecisionRecall._fields, *DensityCoverage._fields)
DIVERSITY = ("diversity", "vendi_score")
CLIP = ("cmmd", "clip_score")
PUBLISHED_NAMES = {"inception": {"frechet": "fid", "kernel": "kid"}, "dinov2": {"frechet": "fd_dinov2"}}
"""Names of metrics on the features that they were published with."""


def mean_over(values: Sequence[float | None]) -> float | None:
    """Mean over prompts; None where no prompt has a value."""
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None


def diversity_metrics(features: Features, sets: Mapping[str, Sequence[int]]) -> Metrics:
    """Mean pairwise distance and Vendi score within prompts, averaged over prompts with two images or more.

    Args:
        features: of all samples, shape (n, d).
        sets: by prompt, its rows.
    """
    by_prompt = {prompt: features[list(rows)] for prompt, rows in sets.items() if len(rows) > 1}
    metrics: Metrics = {
        "diversity": mean_within_sets({prompt: cosine_distance_matrix(rows) for prompt, rows in by_prompt.items()}),
        "vendi_score": mean_over([vendi_score(rows) for rows in by_prompt.values()]),
    }
    return metrics if by_prompt else metrics | {"reason": "no prompt has two images, so none has a pair"}


def distance_metrics(samples: Features, instances: Features) -> Metrics:
    """Frechet distance, kernel distance and mean nearest-instance similarity of samples and instance images."""
    metrics: Metrics = dict.fromkeys(DISTANCES)
    if len(samples) and len(instances):
        metrics["nearest_instance_similarity"] = float(nearest_instance_similarity(samples, instances).mean())
    if min(len(samples), len(instances)) < 2:
        sizes = f"{len(samples)} samples, {len(instances)} instance images"
        return metrics | {"reason": f"{sizes}: a distance between sets needs two or more"}
    frechet = frechet_distance(samples, instances)
    metrics |= {"frechet": frechet.value, "kernel": kernel_distance(samples, instances)}
    return metrics | ({"frechet_warning": frechet.warning} if frechet.warning else {})


def manifold_metrics(samples: Features, instances: Features) -> Metrics:
    """Precision, recall, density and coverage of samples against the instance images."""
    smallest = min(len(samples), len(instances))
    metrics: Metrics = dict.fromkeys(MANIFOLD)
    if smallest > precision_recall.K:
        metrics |= precision_recall.precision_recall(samples, instances)._asdict()
    if smallest > density_coverage.K:
        return metrics | density_coverage.density_coverage(samples, instances)._asdict()
    reason = (
        f"{len(samples)} samples, {len(instances)} instance images: precision and recall need more than"
        f" {precision_recall.K}, density and coverage more than {density_coverage.K}"
    )
    return metrics | {"reason": reason}


def perceptual_metrics(matrices: Mapping[str, NDArray[np.float64]]) -> Metrics:
    """Mean perceptual distance within prompts, and to the nearest instance image.

    Args:
        matrices: by prompt, shape (n, n + m); see `perceptual_matrices`.
    """
    within = [within_set_mean(matrix[:, : len(matrix)]) for matrix in matrices.values()]
    nearest = [
        float(matrix[:, len(matrix) :].min(axis=1).mean())
        for matrix in matrices.values()
        if len(matrix) and matrix.shape[1] > len(matrix)
    ]
    metrics: Metrics = {"within_set": mean_over(within), "nearest_instance": mean_over(nearest)}
    if None in metrics.values():
        return metrics | {"reason": "a distance within a prompt needs two samples, the other one an instance image"}
    return metrics


def clip_metrics(samples: Features, instances: Features, texts: Features) -> Metrics:
    """CMMD to the instance images, and mean CLIPScore with each sample's own prompt."""
    metrics: Metrics = {"cmmd": None, "clip_score": float(clip_scores(samples, texts).mean()) if len(samples) else None}
    if min(len(samples), len(instances)) < 2:
        return metrics | {"reason": f"{len(samples)} samples, {len(instances)} instance images: CMMD needs two or more"}
    return metrics | {"cmmd": cmmd(samples, instances)}


def named_metrics(
    extractor: str,
    *,
    features: Features,
    instances: Features,
    rows: Sequence[int],
    sets: Mapping[str, Sequence[int]],
    texts: Features | None = None,
) -> Metrics:
    """All metrics of one group by one extractor, under their published names, with one `reason` for all nulls.

    Args:
        extractor: its name.
        features: of all samples, shape (n, d).
        instances: shape (m, d).
        rows: the group's samples.
        sets: by prompt, the rows on which diversity is taken.
        texts: CLIP's embedding of each sample's prompt, shape (n, d); only for `clip`.
    """
    samples = features[list(rows)]
    parts = [
        distance_metrics(samples, instances),
        manifold_metrics(samples, instances),
        diversity_metrics(features, sets),
    ]
    if texts is not None:
        parts.append(clip_metrics(samples, instances, texts[list(rows)]))
    names = PUBLISHED_NAMES.get(extractor, {})
    return {names.get(key, key): value for key, value in joined(*parts).items()}


def without_metrics(extractor: str, reason: str) -> Metrics:
    """The keys of `named_metrics`, all null."""
    keys = [*DISTANCES, *MANIFOLD, *DIVERSITY, *(CLIP if extractor == "clip" else ())]
    names = PUBLISHED_NAMES.get(extractor, {})
    return {**{names.get(key, key): None for key in keys}, "reason": reason}


def joined(*parts: Metrics) -> Metrics:
    """Several objects of metrics as one; their reasons become one reason at the end."""
    metrics: Metrics = {}
    for part in parts:
        metrics |= part
    reasons = dict.fromkeys(part["reason"] for part in parts if "reason" in part)
    metrics.pop("reason", None)
    return metrics | ({"reason": "; ".join(reasons)} if reasons else {})
