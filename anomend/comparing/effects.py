"""What changed from the base to the tuned model on one group of prompts, measure by measure.

On the target prompts training aims at nearness to the instance images. On the held-out prompts neither direction is
good by itself: any change is a side effect of training.
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
from anomend.statistics.effect import Better, Effect, insufficient
from anomend.statistics.paired import paired_effect
from anomend.statistics.within_set import compare_within_set

Effects = dict[str, Effect]
Features = NDArray[np.float32]


class Resampling(TypedDict):
    """How intervals and p are drawn: arguments of every comparison."""

    seed: int
    resamples: int
    permutations: int
    confidence: float


def resampling(settings: CompareParams) -> Resampling:
    """The arguments as the parameters set them."""
    return {
        "seed": settings.seed,
        "resamples": settings.resamples,
        "permutations": settings.resamples,
        "confidence": settings.confidence,
    }


def within_set_effects(pairs: Pairs, features: Features, measure: MeasureParams, *, how: Resampling) -> Effects:
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
        # The verdict compares the ratio of diversities with its threshold.
        name: compare_within_set(sets, better=directions[name], ratio=name == "diversity", **how)
        for name, sets in matrices.items()
    }


def perceptual_effects(
    pairs: Pairs, instances: Images, measure: MeasureParams, *, store: FeatureStore, how: Resampling
) -> Effects:
    """Diversity as perceptual distance between the images of one prompt, by every network of `measure.perceptual`."""
    places = pairs.places(measure.within_set_images)
    effects = {}
    for name in measure.perceptual:
        sets = {prompt: pairs.images(where) for prompt, where in places.items()}
        try:
            matrices = perceptual_matrices(
                get_perceptual(name),
                sets=sets,
                instances=instances,
                store=store,
                batch_size=measure.batch_size,
                progress=True,
            )
        except FileNotFoundError as error:
            count = sum(map(len, places.values()))
            effects[f"perceptual_{name}"] = insufficient(count, len(places), better="higher", reason=str(error))
            continue
        within = {prompt: matrix[:, : len(matrix)] for prompt, matrix in matrices.items()}
        effects[f"perceptual_{name}"] = compare_within_set(within, better="higher", **how)
    return effects


def instance_effects(
    pairs: Pairs, features: Features, instances: Features, *, extractor: str, nearer: Better, how: Resampling
) -> Effects:
    """How near the images are to the instance images: as a set by the kernel distance, and image by image.

    Other measures are in the measure files only. The Frechet distance of sets this small has no unbiased test. Recall,
    coverage and CMMD have no values of single images that a pair could compare. Hardly any image lies in the balls of
    some twenty instance images, which precision and density count.

    Args:
        pairs: the pairs of images.
        features: of the pairs' images, shape (2, n, d): base, tuned.
        instances: features of the training images, shape (m, d).
        extractor: name of the extractor.
        nearer: how the kernel distance improves: `lower` where nearness is the aim, or `closer`.
    """
    base, tuned = features
    base_similarity, tuned_similarity = (nearest_instance_similarity(images, instances) for images in features)
    return {
        f"kernel_{extractor}": compare_kernel_distance(
            base, tuned, reference=instances, prompts=pairs.prompts, better=nearer, **how
        ),
        # Too near is a copy: no direction is good by itself.
        "nearest_instance_similarity": paired_effect(
            base_similarity, tuned_similarity, pairs.prompts, better="closer", **how
        ),
    }


def clip_effects(pairs: Pairs, measure: MeasureParams, *, store: FeatureStore, how: Resampling) -> Effects:
    """CLIPScore of each image with its own prompt; empty without the extractor `clip`."""
    if "clip" not in measure.further_extractors:
        return {}
    extractor, places = get_extractor("clip"), np.arange(len(pairs.prompts))
    try:
        features = store.features(extractor, pairs.images(places), measure.batch_size, progress=True)
        words = text_embeddings(pairs.texts, extractor.find())
    except FileNotFoundError as error:
        return {"clip_score": insufficient(len(places), len(set(pairs.prompts)), better="higher", reason=str(error))}
    base, tuned = (clip_scores(images, words) for images in np.split(features, 2))
    return {"clip_score": paired_effect(base, tuned, pairs.prompts, better="higher", **how)}
