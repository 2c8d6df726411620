"""Compute the paper's tables from its published images and votes: `python -m studies.replication.tables`.

`published` are the paper's numbers, `reproduced` its protocol with its bugs, `corrected` the same done properly. The
paper's sampling set no seed, so tuned and base images are not pairs: every p compares two unpaired sets by all splits
of the pooled images, every interval resamples the images of each. studies/replication/figures.md says it in words.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from anomend.detectors.detector import Detector
from anomend.detectors.photographs.detector import make_photographs, refuse_missing_networks
from anomend.measuring.diversity import cosine_distance_matrix
from anomend.measuring.features import FeatureExtractor, get_extractor
from anomend.measuring.frechet import frechet_distance
from anomend.measuring.kernel_distance import distance_matrix, kernel_distance_test
from anomend.measuring.memorisation import nearest_instance_similarity
from anomend.measuring.psnr import psnr_matrix, published_psnr_matrix
from anomend.measuring.ssim import ssim_cross, ssim_matrix
from anomend.project.metric_files import library_versions, write_metrics
from anomend.statistics.unpaired import permutation_test, within_set_permutation_test
from anomend.statistics.unpaired_intervals import unpaired_interval, within_set_interval
from studies.replication.anatomy import anatomy_metrics
from studies.replication.fid import candidates, reproduced
from studies.replication.images import COMMIT, REPOSITORY, PaperImages, find_folder, read_images
from studies.replication.inception import inception_features
from studies.replication.page import explanation, page
from studies.replication.votes import table2

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data" / "paper"
DECIMALS = 6

NO_PROTOCOL = (
    "The paper does not say between which sets its FID was taken, and no candidate protocol gives its figures."
)
TO_INSTANCE = "mean SSIM of every generated image with every instance image, greyscale, 1024 x 1024"


def published(path: Path) -> dict[str, dict[str, float]]:
    """Table 1 of the paper: `metric`, `tuned`, `base`."""
    table = pd.read_csv(path).set_index("metric")
    return {str(metric): {"tuned": float(row["tuned"]), "base": float(row["base"])} for metric, row in table.iterrows()}


def image_metrics(images: PaperImages, seed: int, *, progress: bool = False) -> dict[str, Any]:
    """SSIM and PSNR of the published images: `reproduced` and `corrected`."""
    both, n = [*images.base, *images.tuned], len(images.base)
    near = ssim_cross(both, images.instance, progress=progress).mean(axis=1)
    return {
        "reproduced": {
            "ssim": _within(ssim_matrix(both, progress=progress), n, seed),
            "psnr": _within(published_psnr_matrix(both, progress=progress), n, seed),
        },
        "corrected": {
            "psnr": _within(psnr_matrix(both), n, seed),
            "ssim": {**_each(near, n, seed), "meaning": TO_INSTANCE},
        },
    }


def fid_metrics(images: PaperImages, weights: Path, table: dict[str, float]) -> dict[str, Any]:
    """The paper's FID by every candidate protocol, where Inception's weights are there."""
    sets = {"tuned": images.tuned, "base": images.base, "instance": images.instance}
    try:
        features = {name: inception_features(pictures, weights) for name, pictures in sets.items()}
    except FileNotFoundError:
        # The path is one machine's own, and does not belong in a metric.
        reason = (
            "Inception's weights are not here and no package brings them; "
            "studies/replication/README.md says how to add them"
        )
        return reproduced(candidates(None, table, reason), reason)
    return reproduced(candidates(features, table), NO_PROTOCOL)


def feature_metrics(
    images: PaperImages,
    extractor: FeatureExtractor,
    batch_size: int,
    seed: int,
    table: dict[str, float],
    *,
    progress: bool = False,
) -> dict[str, Any]:
    """Distances to the instance images and diversity, by features.

    `p` compares tuned with base; `p_tuned` and `p_base` compare each with the instance images. Nearness to the instance
    images includes memorising them, and says nothing of anatomy.
    """
    base, tuned, instance = (
        extractor.extract(images, batch_size, progress) for images in (images.base, images.tuned, images.instance)
    )
    both, n = np.concatenate([base, tuned]), len(base)
    kernel = distance_matrix(both, instance)
    frechet = {name: frechet_distance(features, instance) for name, features in (("tuned", tuned), ("base", base))}
    nearest = nearest_instance_similarity(both, instance)
    return {
        f"kernel_{extractor.name}": {
            **_within(kernel, n, seed),
            "p_tuned": kernel_distance_test(tuned, instance, seed=seed).p,
            "p_base": kernel_distance_test(base, instance, seed=seed).p,
        },
        f"frechet_{extractor.name}": {
            **{name: distance.value for name, distance in frechet.items()},
            "warning": frechet["tuned"].warning,
        },
        f"nearest_instance_similarity_{extractor.name}": _each(nearest, n, seed),
        f"diversity_{extractor.name}": _within(cosine_distance_matrix(both), n, seed),
        f"fid_protocols_{extractor.name}": candidates({"tuned": tuned, "base": base, "instance": instance}, table),
    }


def photograph_detector(networks: str) -> tuple[Detector | None, str]:
    """The detector `photographs` with networks from a folder; None with the reason where they are missing."""
    try:
        refuse_missing_networks(ROOT / networks)
    except ValueError:
        return None, "the networks of the detector photographs are not here: `make photograph-models` fetches them"
    return make_photographs(ROOT / networks), ""


def main() -> int:
    """Write metrics/replication.json; 1 and one sentence on stderr where something is missing."""
    params = yaml.safe_load((ROOT / "studies" / "replication" / "params.yaml").read_text())
    seed = params["seed"]
    try:
        images = read_images(find_folder(os.environ, ROOT / params["images"]), DATA / "images.csv")
        extractor, table1 = get_extractor(params["extractor"]), published(DATA / "table1.csv")
        metrics = {"published": table1, **image_metrics(images, seed, progress=True)}
        metrics["reproduced"]["fid"] = fid_metrics(images, ROOT / params["inception"], table1["fid"])
        metrics["distances"] = feature_metrics(
            images=images,
            extractor=extractor,
            batch_size=params["batch_size"],
            seed=seed,
            table=table1["fid"],
            progress=True,
        )
        metrics["table2"] = table2(DATA / "table2.csv", seed)
        detector, reason = photograph_detector(params["networks"])
        if detector is None:
            print(f"replication: no figures of anatomy: {reason}", file=sys.stderr)
        sets = {"tuned": images.tuned, "base": images.base, "instance": images.instance}
        metrics["anatomy"] = anatomy_metrics(sets, detector, seed=seed, reason=reason, progress=True)
    except (ValueError, FileNotFoundError) as error:
        print(f"replication: {error}", file=sys.stderr)
        return 1
    provenance = {
        "n": {"tuned": len(images.tuned), "base": len(images.base), "instance": len(images.instance)},
        "images": {"repository": REPOSITORY, "commit": COMMIT, "sha256": images.sha256},
        "p": "two-sided, exact over all splits of the 20 unpaired images; p_tuned, p_base: one-sided, against instance",
        "interval": "95%, of tuned - base: percentile bootstrap of the images of each set, stretched for small samples",
        "seed": seed,
        "batch_size": params["batch_size"],
        "features": extractor.provenance(),
        "versions": library_versions(
            "numpy", "scipy", "pillow", "torch", "efficientnet-lite-pytorch", "ai-edge-litert"
        ),
    }
    content = rounded(metrics)
    content["explanation"] = explanation(content)
    write_metrics(ROOT / "metrics" / "replication.json", content, provenance)
    (ROOT / "studies" / "replication" / "figures.md").write_text(page(content))
    return 0


def _within(matrix: NDArray[np.float64], n_base: int, seed: int) -> dict[str, Any]:
    """Within-set means of the tuned and the base images, and how they differ."""
    test = within_set_permutation_test(matrix, n_base, seed=seed)
    low, high = within_set_interval(matrix, n_base, seed=seed) or (None, None)
    return {
        "tuned": test.second, "base": test.first, "delta": test.delta, "ci_low": low, "ci_high": high, "p": test.p,
    }  # fmt: skip


def _each(values: NDArray[np.float64], n_base: int, seed: int) -> dict[str, Any]:
    """Means over the tuned and the base images of a metric that each image has, and how they differ."""
    test = permutation_test(values[:n_base], values[n_base:], seed=seed)
    low, high = unpaired_interval(values[:n_base], values[n_base:], seed=seed) or (None, None)
    return {
        "tuned": test.second, "base": test.first, "delta": test.delta, "ci_low": low, "ci_high": high, "p": test.p,
    }  # fmt: skip


def rounded(value: Any) -> Any:
    """Metrics rounded to six decimals: the order of summation, and so the last bits, differ between machines, and
    metrics in git should not."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return round(value, DECIMALS) if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
