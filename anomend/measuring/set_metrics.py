"""Every figure of one group of samples (target or held-out prompts) by one kind of features, as it stands in a metric
file. A figure that a set is too small for is null, and its group of figures has a `reason`."""

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
from anomend.statistics import mean_within_sets, within_set_mean

Features = NDArray[np.float32]
Figures = dict[str, Any]

DISTANCES = ("frechet", "kernel", "nearest_instance_similarity")
MANIFOLD = (*PrecisionRecall._fields, *DensityCoverage._fields)
DIVERSITY = ("diversity", "vendi_score")
CLIP = ("cmmd", "clip_score")
PUBLISHED_NAMES = {"inception": {"frechet": "fid", "kernel": "kid"}, "dinov2": {"frechet": "fd_dinov2"}}
"""What a figure is called on the features that it was published with."""


def mean_over(values: Sequence[float | None]) -> float | None:
    """Mean over prompts; None where no prompt has a value."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def diversity_figures(features: Features, sets: Mapping[str, Sequence[int]]) -> Figures:
    """Mean pairwise distance and Vendi score within prompts, averaged over prompts with two images or more.

    Args:
        features: of all samples, shape (n, d).
        sets: by prompt, its rows.
    """
    chosen = {prompt: features[list(rows)] for prompt, rows in sets.items() if len(rows) > 1}
    figures: Figures = {
        "diversity": mean_within_sets({prompt: cosine_distance_matrix(own) for prompt, own in chosen.items()}),
        "vendi_score": mean_over([vendi_score(own) for own in chosen.values()]),
    }
    return figures if chosen else figures | {"reason": "no prompt has two images, so none has a pair"}


def distance_figures(samples: Features, instances: Features) -> Figures:
    """Frechet distance, kernel distance and mean nearest-instance similarity of samples and instance images."""
    figures: Figures = dict.fromkeys(DISTANCES)
    if len(samples) and len(instances):
        figures["nearest_instance_similarity"] = float(nearest_instance_similarity(samples, instances).mean())
    if min(len(samples), len(instances)) < 2:
        sizes = f"{len(samples)} samples, {len(instances)} instance images"
        return figures | {"reason": f"{sizes}: a distance between sets needs two or more"}
    frechet = frechet_distance(samples, instances)
    figures |= {"frechet": frechet.value, "kernel": kernel_distance(samples, instances)}
    return figures | ({"frechet_warning": frechet.warning} if frechet.warning else {})


def manifold_figures(samples: Features, instances: Features) -> Figures:
    """Precision, recall, density and coverage of samples against the instance images."""
    smallest = min(len(samples), len(instances))
    figures: Figures = dict.fromkeys(MANIFOLD)
    if smallest > precision_recall.K:
        figures |= precision_recall.precision_recall(samples, instances)._asdict()
    if smallest > density_coverage.K:
        return figures | density_coverage.density_coverage(samples, instances)._asdict()
    reason = (
        f"{len(samples)} samples, {len(instances)} instance images: precision and recall need more than"
        f" {precision_recall.K}, density and coverage more than {density_coverage.K}"
    )
    return figures | {"reason": reason}


def perceptual_figures(matrices: Mapping[str, NDArray[np.float64]]) -> Figures:
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
    figures: Figures = {"within_set": mean_over(within), "nearest_instance": mean_over(nearest)}
    if None in figures.values():
        return figures | {"reason": "a distance within a prompt needs two samples, the other one an instance image"}
    return figures


def clip_figures(samples: Features, instances: Features, texts: Features) -> Figures:
    """CMMD to the instance images, and mean CLIPScore with each sample's own prompt."""
    figures: Figures = {"cmmd": None, "clip_score": float(clip_scores(samples, texts).mean()) if len(samples) else None}
    if min(len(samples), len(instances)) < 2:
        return figures | {"reason": f"{len(samples)} samples, {len(instances)} instance images: CMMD needs two or more"}
    return figures | {"cmmd": cmmd(samples, instances)}


def named_figures(
    extractor: str,
    features: Features,
    instances: Features,
    rows: Sequence[int],
    sets: Mapping[str, Sequence[int]],
    texts: Features | None = None,
) -> Figures:
    """All figures of one group by one extractor, under the names that the field gives them; one `reason` for all nulls.

    Args:
        extractor: its name.
        features: of all samples, shape (n, d).
        instances: shape (m, d).
        rows: the group's samples.
        sets: by prompt, the rows on which diversity is taken.
        texts: CLIP's embedding of each sample's prompt, shape (n, d); for `clip` alone.
    """
    own = features[list(rows)]
    parts = [distance_figures(own, instances), manifold_figures(own, instances), diversity_figures(features, sets)]
    if texts is not None:
        parts.append(clip_figures(own, instances, texts[list(rows)]))
    names = PUBLISHED_NAMES.get(extractor, {})
    return {names.get(key, key): value for key, value in joined(*parts).items()}


def without_figures(extractor: str, reason: str) -> Figures:
    """The keys of `named_figures`, all null."""
    keys = [*DISTANCES, *MANIFOLD, *DIVERSITY, *(CLIP if extractor == "clip" else ())]
    names = PUBLISHED_NAMES.get(extractor, {})
    return {**{names.get(key, key): None for key in keys}, "reason": reason}


def joined(*parts: Figures) -> Figures:
    """Figures side by side, their reasons as one at the end."""
    figures: Figures = {}
    for part in parts:
        figures |= part
    reasons = dict.fromkeys(part["reason"] for part in parts if "reason" in part)
    figures.pop("reason", None)
    return figures | ({"reason": "; ".join(reasons)} if reasons else {})
