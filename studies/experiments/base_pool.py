"""A pool of base images for null comparisons, drawn once and kept outside git."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.detectors.table import make_detector
from anomend.diffusion.sampling import load_sampler, sample_images, sampling_options
from anomend.measuring.diversity import cosine_distance_matrix
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import get_extractor
from anomend.measuring.perceptual import get_perceptual, perceptual_matrices
from anomend.measuring.psnr import psnr_matrix
from anomend.measuring.ssim import ssim_matrix
from anomend.params.params import Params

FIRST_SEED = 900_000
"""Far from every seed that the pipeline uses."""
BLOCKS, TARGET_PER_BLOCK, HELD_OUT_PER_BLOCK = 3, 32, 16
"""Images are drawn in blocks of seeds, so that an interrupted call continues where it stopped. Together with the
committed run's base images, three blocks have 224 images per target prompt and 112 per held-out prompt; four blocks
have both sides of a comparison of the run's size."""


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


def draw_pool(params: Params, folder: Path, blocks: int = BLOCKS) -> None:
    """Sample the blocks of the pool that are missing; each is a file.

    Raises:
        ValueError: the folder holds a pool of other parameters.
    """
    made = {"prompts": params.prompts.model_dump(), "base": params.base.model_dump()}
    made["sample"] = {name: getattr(params.sample, name) for name in ("steps", "guidance_scale")}
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "pool.json"
    if note.exists() and json.loads(note.read_text()) != made:
        raise ValueError(f"{folder} holds a pool of other parameters: remove it, or name another folder with --pool")
    note.write_text(json.dumps(made))
    missing = [block for block in range(blocks) if not _file(folder, block).exists()]
    if not missing:
        return
    pipeline, texts = load_sampler(params.base, params.prompts.target + params.prompts.held_out)
    for block in missing:
        rows = _requests(params.prompts.target, TARGET_PER_BLOCK, block)
        rows += _requests(params.prompts.held_out, HELD_OUT_PER_BLOCK, block)
        options = sampling_options(params.base, params.sample)
        images = np.stack(
            list(sample_images(pipeline, rows, **options, description=f"block {block + 1} of {blocks}", texts=texts))
        )
        prompts, seeds = zip(*rows, strict=True)
        unfinished = folder / f"part-{block:02}.npz"
        np.savez(unfinished, images=images, prompt=np.array(prompts), seed=np.array(seeds))
        unfinished.rename(_file(folder, block))  # only a complete file has the name


def read_pool(folder: Path, blocks: int = BLOCKS) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """A table of `prompt` and `seed` of the drawn images in the first blocks, and the images, shape (n, H, W, 3).

    Raises:
        ValueError: there is none.
    """
    parts = [np.load(path) for path in sorted(folder.glob("block-*.npz"))[:blocks]]
    if not parts:
        raise ValueError(f"{folder} holds no pool: draw one first")
    table = pd.DataFrame({key: np.concatenate([part[key] for part in parts]) for key in ("prompt", "seed")})
    return table, np.concatenate([part["images"] for part in parts])


def measure_pool(
    table: pd.DataFrame, images: NDArray[np.uint8], *, assessed: pd.DataFrame, params: Params, store: FeatureStore
) -> Pool:
    """Find the anomalies of every image, extract its features, and compare the images of each prompt.

    Args:
        table: `prompt` and `seed` of each image; see `read_pool`.
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


def _file(folder: Path, block: int) -> Path:
    return folder / f"block-{block:02}.npz"


def _requests(prompts: Sequence[str], per_block: int, block: int) -> list[tuple[str, int]]:
    first = FIRST_SEED + block * per_block
    return [(prompt, seed) for prompt in prompts for seed in range(first, first + per_block)]
