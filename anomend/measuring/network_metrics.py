"""Metrics by optional networks: all null, with the reason, where a network's weights or packages are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anomend.measuring import set_metrics
from anomend.measuring.clip_score import text_embeddings
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import Images, get_extractor
from anomend.measuring.group_metrics import Group
from anomend.measuring.perceptual import get_perceptual, perceptual_matrices
from anomend.measuring.set_metrics import Metrics

Provenance = Mapping[str, Any]


def further_extractor_metrics(
    name: str,
    *,
    images: Images,
    instance_images: Images,
    texts: Sequence[str],
    groups: Mapping[str, Group],
    store: FeatureStore,
    batch_size: int = 32,
) -> tuple[Metrics, Provenance]:
    """Metrics by a further extractor: one object `<name><suffix>` per group.

    Args:
        name: one of EXTRACTORS.
        images: all samples.
        instance_images: the training images.
        texts: each sample's prompt; only `clip` reads them.
        groups: by suffix of their keys.
        store: keeps the features.
        batch_size: images per forward pass.

    Returns:
        The metrics, and the extractor's provenance or the reason why its metrics are null.
    """
    extractor = get_extractor(name)
    try:
        features = store.features(extractor, images, batch_size, progress=True)
        instances = store.features(extractor, instance_images, batch_size)
        words = text_embeddings(texts, extractor.find()) if name == "clip" else None
    except FileNotFoundError as error:
        nothing = set_metrics.without_metrics(name, str(error))
        return {f"{name}{suffix}": nothing for suffix in groups}, {"reason": str(error)}
    metrics = {
        f"{name}{suffix}": set_metrics.named_metrics(
            name, features=features, instances=instances, rows=group.rows, sets=group.sets, texts=words
        )
        for suffix, group in groups.items()
    }
    return metrics, extractor.provenance()


def perceptual_network_metrics(
    name: str,
    *,
    images: Images,
    instance_images: Images,
    groups: Mapping[str, Group],
    store: FeatureStore,
    batch_size: int = 32,
) -> tuple[Metrics, Provenance]:
    """Perceptual distances by a network: one object `perceptual_<name><suffix>` per group.

    Args:
        name: one of PERCEPTUAL.
        images: all samples.
        instance_images: the training images.
        groups: by suffix of their keys.
        store: keeps the distances.
        batch_size: images per forward pass.

    Returns:
        The metrics, and the network's provenance or the reason why its metrics are null.
    """
    network = get_perceptual(name)
    sets = {prompt: [images[row] for row in rows] for group in groups.values() for prompt, rows in group.sets.items()}
    try:
        matrices = perceptual_matrices(
            network, sets=sets, instances=instance_images, store=store, batch_size=batch_size, progress=True
        )
    except FileNotFoundError as error:
        nothing = {"within_set": None, "nearest_instance": None, "reason": str(error)}
        return {f"perceptual_{name}{suffix}": nothing for suffix in groups}, {"reason": str(error)}
    metrics = {
        f"perceptual_{name}{suffix}": set_metrics.perceptual_metrics(
            {prompt: matrices[prompt] for prompt in group.sets}
        )
        for suffix, group in groups.items()
    }
    return metrics, network.provenance()
