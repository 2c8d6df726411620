"""Compute the paper's tables from its published images and votes: `python -m replication.tables`.

`published` are the paper's figures, `reproduced` its protocol with its bugs, `corrected` the same done properly. The
paper's sampling set no seed, so tuned and base images are no pairs: every p compares two unpaired sets by all splits of
the pooled images.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from replication.images import COMMIT, REPOSITORY, PaperImages, find_folder, read_images
from replication.votes import table2
from stages.measures.diversity import cosine_distance_matrix
from stages.measures.features import FeatureExtractor, get_extractor
from stages.measures.frechet import frechet_distance
from stages.measures.kernel_distance import distance_matrix, kernel_distance_test
from stages.measures.memorisation import nearest_instance_similarity
from stages.measures.psnr import psnr_matrix, published_psnr_matrix
from stages.measures.ssim import ssim_cross, ssim_matrix
from stages.measures.statistics import PermutationResult, permutation_test, within_set_permutation_test
from stages.metric_files import library_versions, write_metrics

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data" / "paper"
DECIMALS = 6

NO_FID = (
    "The paper does not say between which sets its FID was taken, and Inception's FID weights are in no package that"
    " this project installs; `distances` has feature distances by another extractor."
)
TO_INSTANCE = "mean SSIM of every generated image with every instance image, greyscale, 1024 x 1024"


def published(path: Path) -> dict[str, dict[str, float]]:
    """Table 1 of the paper: `metric`, `tuned`, `base`."""
    table = pd.read_csv(path).set_index("metric")
    return {str(metric): {"tuned": float(row["tuned"]), "base": float(row["base"])} for metric, row in table.iterrows()}


def image_figures(images: PaperImages, seed: int, *, progress: bool = False) -> dict[str, Any]:
    """SSIM and PSNR of the published images: `reproduced` and `corrected`."""
    both, n = [*images.base, *images.tuned], len(images.base)
    ssim = within_set_permutation_test(ssim_matrix(both, progress=progress), n, seed=seed)
    bugs = within_set_permutation_test(published_psnr_matrix(both, progress=progress), n, seed=seed)
    psnr = within_set_permutation_test(psnr_matrix(both), n, seed=seed)
    near = ssim_cross(both, images.instance, progress=progress).mean(axis=1)
    return {
        "reproduced": {
            "ssim": _figures(ssim),
            "psnr": _figures(bugs),
            "fid": {"tuned": None, "base": None, "reason": NO_FID},
        },
        "corrected": {
            "psnr": _figures(psnr),
            "ssim": {**_figures(permutation_test(near[:n], near[n:], seed=seed)), "meaning": TO_INSTANCE},
        },
    }


def feature_figures(
    images: PaperImages, extractor: FeatureExtractor, batch_size: int, seed: int, *, progress: bool = False
) -> dict[str, Any]:
    """Distances to the instance images and diversity, by features.

    `p` compares tuned with base; `p_tuned` and `p_base` compare each with the instance images. Nearness to the instance
    images includes memorising them, and says nothing of anatomy.
    """
    base, tuned, instance = (
        extractor.extract(images, batch_size, progress) for images in (images.base, images.tuned, images.instance)
    )
    both, n = np.concatenate([base, tuned]), len(base)
    kernel = within_set_permutation_test(distance_matrix(both, instance), n, seed=seed)
    frechet = {name: frechet_distance(features, instance) for name, features in (("tuned", tuned), ("base", base))}
    nearest = nearest_instance_similarity(both, instance)
    return {
        f"kernel_{extractor.name}": {
            **_figures(kernel),
            "p_tuned": _rounded(kernel_distance_test(tuned, instance, seed=seed).p),
            "p_base": _rounded(kernel_distance_test(base, instance, seed=seed).p),
        },
        f"frechet_{extractor.name}": {
            **{name: _rounded(distance.value) for name, distance in frechet.items()},
            "warning": frechet["tuned"].warning,
        },
        f"nearest_instance_similarity_{extractor.name}": _figures(
            permutation_test(nearest[:n], nearest[n:], seed=seed)
        ),
        f"diversity_{extractor.name}": _figures(
            within_set_permutation_test(cosine_distance_matrix(both), n, seed=seed)
        ),
    }


def main() -> int:
    """Write metrics/replication.json; 1 and one sentence on stderr where something is missing."""
    params = yaml.safe_load((ROOT / "replication" / "params.yaml").read_text())
    try:
        images = read_images(find_folder(os.environ, ROOT / params["images"]), DATA / "images.csv")
        extractor = get_extractor(params["extractor"])
        figures = {
            "published": published(DATA / "table1.csv"),
            **image_figures(images, params["seed"], progress=True),
            "distances": feature_figures(images, extractor, params["batch_size"], params["seed"], progress=True),
            "table2": table2(DATA / "table2.csv", params["seed"]),
        }
    except (ValueError, FileNotFoundError) as error:
        print(f"replication: {error}", file=sys.stderr)
        return 1
    provenance = {
        "n": {"tuned": len(images.tuned), "base": len(images.base), "instance": len(images.instance)},
        "images": {"repository": REPOSITORY, "commit": COMMIT, "sha256": images.sha256},
        "p": "two-sided, exact over all splits of the 20 unpaired images; p_tuned, p_base: one-sided, against instance",
        "seed": params["seed"],
        "batch_size": params["batch_size"],
        "features": extractor.provenance(),
        "versions": library_versions("numpy", "scipy", "pillow", "torch", "efficientnet-lite-pytorch"),
    }
    write_metrics(ROOT / "metrics" / "replication.json", figures, provenance)
    return 0


def _figures(result: PermutationResult) -> dict[str, float | None]:
    return {"tuned": _rounded(result.second), "base": _rounded(result.first), "p": _rounded(result.p)}


def _rounded(value: float | None) -> float | None:
    # Sums taken in another order differ in the last bits from machine to machine; a metric in git should not.
    return None if value is None else round(value, DECIMALS)


if __name__ == "__main__":
    sys.exit(main())
