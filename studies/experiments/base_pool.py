"""A pool of base images for null comparisons, from the store of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.detectors.table import make_detector
from anomend.diffusion.stored_sampling import StoredSampler
from anomend.measuring.diversity import cosine_distance_matrix
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import get_extractor
from anomend.measuring.perceptual import get_perceptual, perceptual_matrices
from anomend.measuring.psnr import psnr_matrix
from anomend.measuring.ssim import ssim_matrix
from anomend.params.params import Params
from anomend.pictures.image_sets import load_image

FIRST_SEED = 900_000
"""Far from every seed that the pipeline uses."""
BLOCKS, TARGET_PER_BLOCK, HELD_OUT_PER_BLOCK = 3, 32, 16
"""The pool's size, and how many seeds a prompt has per block. Together with the committed run's base images, three
blocks have 224 images per target prompt and 112 per held-out prompt; four blocks have both sides of a comparison of the
run's size."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What was measured on the images of the pool."""

    targets: Sequence[str]
    """The target prompts; the others are held out."""
    anomalous: Mapping[str, NDArray[np.int_]]
    """By prompt, 1 for each image with an anomaly, else 0."""
    features: Mapping[str, NDArray[np.float32]]
    """By prompt, shape (n, d)."""
    matrices: Mapping[str, Mapping[str, NDArray[np.float64]]]
    """By within-set measure and prompt, shape (n, n) over the same images as the features."""

    @property
    def held_out(self) -> list[str]:
        return [prompt for prompt in self.anomalous if prompt not in self.targets]


def draw_pool(params: Params, sampler: StoredSampler, blocks: int = BLOCKS) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """The images of the pool, sampled where the store does not have them.

    Returns:
        A table of `prompt` and `seed`, and the images, shape (n, H, W, 3).
    """
    requests = [(prompt, _seeds(TARGET_PER_BLOCK * blocks)) for prompt in params.prompts.target]
    requests += [(prompt, _seeds(HELD_OUT_PER_BLOCK * blocks)) for prompt in params.prompts.held_out]
    paths = sampler.images(requests, FIRST_SEED)
    rows = [(prompt, seed) for prompt, seeds in requests for seed in seeds]
    return pd.DataFrame(rows, columns=["prompt", "seed"]), np.stack([load_image(paths[row]) for row in rows])


def measure_pool(
    table: pd.DataFrame, images: NDArray[np.uint8], *, assessed: pd.DataFrame, params: Params, store: FeatureStore
) -> Pool:
    """Find the anomalies of every image, extract its features, and compare the images of each prompt.

    Args:
        table: `prompt` and `seed` of each image; see `draw_pool`.
        images: shape (n, H, W, 3).
        assessed: `prompt` and `anomalous` of further base images, which are added to the anomalies.
        params: prompts, and what is measured.
        store: keeps features and perceptual distances.
    """
    measure = params.measure
    extractor = get_extractor(measure.extractor)
    everyone = params.prompts.target + params.prompts.held_out
    by_prompt = {prompt: list(images[np.flatnonzero(table["prompt"] == prompt)]) for prompt in everyone}
    detector = make_detector(measure.detector, params.detectors)
    anomalous = np.array([int(bool(kinds)) for kinds in detector.anomalies(list(images), progress=True)])
    all_anomalous = {
        prompt: np.concatenate(
            [anomalous[table["prompt"] == prompt], assessed.loc[assessed["prompt"] == prompt, "anomalous"].to_numpy()]
        )
        for prompt in everyone
    }
    features = {
        prompt: store.features(extractor, pictures, measure.batch_size, progress=True)
        for prompt, pictures in by_prompt.items()
    }
    matrices: dict[str, Mapping[str, NDArray[np.float64]]] = {
        "ssim_within": {prompt: ssim_matrix(pictures, progress=True) for prompt, pictures in by_prompt.items()},
        "psnr_within": {prompt: psnr_matrix(pictures) for prompt, pictures in by_prompt.items()},
        "diversity": {prompt: cosine_distance_matrix(values) for prompt, values in features.items()},
    }
    for name in measure.perceptual:
        network = get_perceptual(name)
        matrices[f"perceptual_{name}"] = {
            prompt: matrix[:, : len(matrix)]
            for prompt, matrix in perceptual_matrices(
                network,
                sets=by_prompt,
                instances=by_prompt[everyone[0]][:1],
                store=store,
                batch_size=measure.batch_size,
                progress=True,
            ).items()
        }
    return Pool(targets=params.prompts.target, anomalous=all_anomalous, features=features, matrices=matrices)


def _seeds(count: int) -> range:
    return range(FIRST_SEED, FIRST_SEED + count)
