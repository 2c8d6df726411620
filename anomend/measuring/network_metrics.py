"""Figures by networks that may not be here: all null, with the reason, where weights or packages cannot be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anomend.measuring import set_metrics
from anomend.measuring.clip_score import text_embeddings
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import Images, get_extractor
from anomend.measuring.group_metrics import Group
from anomend.measuring.perceptual import get_perceptual, perceptual_matrices
from anomend.measuring.set_metrics import Figures

Provenance = Mapping[str, Any]


def further_figures(
    name: str,
    images: Images,
    instance_images: Images,
    texts: Sequence[str],
    groups: Mapping[str, Group],
    store: FeatureStore,
    batch_size: int = 32,
) -> tuple[Figures, Provenance]:
    """Figures by an extractor: an object `<name><suffix>` a group.

    Args:
        name: one of EXTRACTORS.
        images: all samples.
        instance_images: the training images.
        texts: each sample's prompt; read by `clip` alone.
        groups: by suffix of their keys.
        store: keeps the features.
        batch_size: images a forward pass.

    Returns:
        The figures, and the extractor's provenance or the reason why there are none.
    """
    extractor = get_extractor(name)
    try:
        features = store.features(extractor, images, batch_size, progress=True)
        instances = store.features(extractor, instance_images, batch_size)
        words = text_embeddings(texts, extractor.find()) if name == "clip" else None
    except FileNotFoundError as error:
        nothing = set_metrics.without_figures(name, str(error))
        return {f"{name}{suffix}": nothing for suffix in groups}, {"reason": str(error)}
    figures = {
        f"{name}{suffix}": set_metrics.named_figures(name, features, instances, group.rows, group.sets, words)
        for suffix, group in groups.items()
    }
    return figures, extractor.provenance()


def perceptual_figures(
    name: str,
    images: Images,
    instance_images: Images,
    groups: Mapping[str, Group],
    store: FeatureStore,
    batch_size: int = 32,
) -> tuple[Figures, Provenance]:
    """Perceptual distances by a network: an object `perceptual_<name><suffix>` a group. Arguments as above."""
    network = get_perceptual(name)
    chosen = {prompt: [images[row] for row in rows] for group in groups.values() for prompt, rows in group.sets.items()}
    try:
        matrices = perceptual_matrices(network, chosen, instance_images, store, batch_size, progress=True)
    except FileNotFoundError as error:
        nothing = {"within_set": None, "nearest_instance": None, "reason": str(error)}
        return {f"perceptual_{name}{suffix}": nothing for suffix in groups}, {"reason": str(error)}
    figures = {
        f"perceptual_{name}{suffix}": set_metrics.perceptual_figures(
            {prompt: matrices[prompt] for prompt in group.sets}
        )
        for suffix, group in groups.items()
    }
    return figures, network.provenance()
