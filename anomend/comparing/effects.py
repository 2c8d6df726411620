"""What changed from the base to the tuned model on one group of prompts, measure by measure.

On the target prompts nearness to the instance images is what training is for; on the held-out prompts neither direction
is good by itself, and a change says that training reached where it should not.
"""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.comparing.pairs import Pairs
from anomend.measuring.clip_score import clip_scores, text_embeddings
from anomend.measuring.diversity import cosine_distance_matrix
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import Images, get_extractor
from anomend.measuring.kernel_distance import compare_kernel_distance
from anomend.measuring.memorisation import nearest_instance_similarity
from anomend.measuring.perceptual import get_perceptual, perceptual_matrices
from anomend.measuring.psnr import psnr_matrix
from anomend.measuring.ssim import ssim_matrix
from anomend.params.evaluation import CompareParams, MeasureParams
from anomend.statistics import Better, Effect, compare_within_set, insufficient, paired_effect

Effects = dict[str, Effect]
Features = NDArray[np.float32]


class Resampling(TypedDict):
    """How intervals and p are drawn: arguments that every comparison takes."""

    seed: int
    resamples: int
    permutations: int
    confidence: float


def resampling(settings: CompareParams) -> Resampling:
    """As the parameters say."""
    return {
        "seed": settings.seed,
        "resamples": settings.resamples,
        "permutations": settings.resamples,
        "confidence": settings.confidence,
    }


def within_set_effects(pairs: Pairs, features: Features, measure: MeasureParams, how: Resampling) -> Effects:
    """How alike the images of one prompt are: SSIM, PSNR, and their opposite, diversity in feature space.

    Args:
        features: of the pairs' images, shape (2, n, d): base, tuned.
    """
    matrices: dict[str, dict[str, Any]] = {"ssim_within": {}, "psnr_within": {}, "diversity": {}}
    for prompt, places in tqdm(pairs.places(measure.within_set_images).items(), desc="comparing images", unit="prompt"):
        images = pairs.images(places)
        matrices["ssim_within"][prompt] = ssim_matrix(images)
        matrices["psnr_within"][prompt] = psnr_matrix(images)
        matrices["diversity"][prompt] = cosine_distance_matrix(np.concatenate(features[:, places]))
    # More alike is neither better nor worse by itself; a loss of diversity is worse.
    directions: dict[str, Better] = {"ssim_within": "closer", "psnr_within": "closer", "diversity": "higher"}
    return {
        # The verdict holds the ratio of diversities against its threshold.
        name: compare_within_set(sets, better=directions[name], ratio=name == "diversity", **how)
        for name, sets in matrices.items()
    }


def perceptual_effects(
    pairs: Pairs, instances: Images, measure: MeasureParams, store: FeatureStore, how: Resampling
) -> Effects:
    """Diversity as perceptual distance between the images of one prompt, by every network that is asked for."""
    chosen = pairs.places(measure.within_set_images)
    effects = {}
    for name in measure.perceptual:
        sets = {prompt: pairs.images(places) for prompt, places in chosen.items()}
        try:
            matrices = perceptual_matrices(
                get_perceptual(name), sets, instances, store, measure.batch_size, progress=True
            )
        except FileNotFoundError as error:
            count = sum(map(len, chosen.values()))
            effects[f"perceptual_{name}"] = insufficient(count, len(chosen), "higher", str(error))
            continue
        within = {prompt: matrix[:, : len(matrix)] for prompt, matrix in matrices.items()}
        effects[f"perceptual_{name}"] = compare_within_set(within, better="higher", **how)
    return effects


def instance_effects(
    pairs: Pairs, features: Features, instances: Features, extractor: str, nearer: Better, how: Resampling
) -> Effects:
    """How near the images come to the instance images: as a set by the kernel distance, and image by image.

    The Frechet distance of sets this small has no unbiased test; recall, coverage and CMMD have no values of single
    images that a pair could compare; and next to no image lies in the balls of some twenty instance images, by which
    precision and density count. They stand in the measure files alone.

    Args:
        features: shape (2, n, d): base, tuned.
        instances: features of the training images, shape (m, d).
        nearer: how the kernel distance improves: `lower` where nearness is the aim, or `closer`.
    """
    base, tuned = features
    near, nearer_still = (nearest_instance_similarity(own, instances) for own in features)
    return {
        f"kernel_{extractor}": compare_kernel_distance(base, tuned, instances, pairs.prompts, better=nearer, **how),
        # Too near is a copy: no direction is good by itself.
        "nearest_instance_similarity": paired_effect(near, nearer_still, pairs.prompts, better="closer", **how),
    }


def clip_effects(pairs: Pairs, measure: MeasureParams, store: FeatureStore, how: Resampling) -> Effects:
    """CLIPScore of each image with its own prompt, where the extractor `clip` is asked for."""
    if "clip" not in measure.further_extractors:
        return {}
    extractor, places = get_extractor("clip"), np.arange(len(pairs.prompts))
    try:
        features = store.features(extractor, pairs.images(places), measure.batch_size, progress=True)
        words = text_embeddings(pairs.texts, extractor.find())
    except FileNotFoundError as error:
        return {"clip_score": insufficient(len(places), len(set(pairs.prompts)), "higher", str(error))}
    base, tuned = (clip_scores(own, words) for own in np.split(features, 2))
    return {"clip_score": paired_effect(base, tuned, pairs.prompts, better="higher", **how)}
