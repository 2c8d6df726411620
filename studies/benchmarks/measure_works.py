"""What the processes of `studies.benchmarks.measures` do:
`python -m studies.benchmarks.measure_works WORK OUT --repeat N FILE ...`.

A work reads arrays from files, does its computation N times (0: it only imports and reads), and writes its metrics as
JSON to OUT. The other side of each comparison uses nothing of this project but the images.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Metrics = dict[str, Any]


def set_ours(images: NDArray[np.uint8]) -> Metrics:
    """SSIM and both forms of PSNR within a set, by this project."""
    from anomend.measuring.psnr import psnr_within, published_psnr_within
    from anomend.measuring.ssim import ssim_within

    return {
        "ssim": ssim_within(list(images)),
        "psnr": psnr_within(list(images)),
        "published psnr": published_psnr_within(list(images)),
    }


def set_scikit_image(images: NDArray[np.uint8]) -> Metrics:
    """SSIM and PSNR of each pair by scikit-image, which has no published form; greyscale is made once an image."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    greys = [np.asarray(Image.fromarray(image).convert("L")) for image in images]
    pairs = list(combinations(range(len(images)), 2))
    return {
        "ssim": float(np.mean([structural_similarity(greys[a], greys[b], data_range=255) for a, b in pairs])),
        "psnr": float(np.mean([peak_signal_noise_ratio(images[a], images[b], data_range=255) for a, b in pairs])),
    }


def set_published(images: NDArray[np.uint8]) -> Metrics:
    """The paper's PSNR of each pair, exactly by its formula."""
    pixels = images.shape[1] * images.shape[2]
    found = []
    for first, second in combinations(images, 2):
        found.append(10 * np.log10(255**2 / (((first - second) ** 2).sum(dtype=np.int64) / pixels)))
    return {"published psnr": float(np.mean(found))}


def features(images: NDArray[np.uint8]) -> Metrics:
    """Features by the offline extractor, as stage `measure` computes them."""
    from anomend.measuring.features import get_extractor

    found = get_extractor("efficientnet_lite0").extract(images, 32)  # type: ignore[arg-type]
    return {"mean": float(found.mean())}


def features_stored(images: NDArray[np.uint8]) -> Metrics:
    """The same through the store of features in the working directory; `images_seen`: images that the network saw."""
    import hashlib
    from dataclasses import replace

    from anomend.measuring.feature_store import FeatureStore
    from anomend.measuring.features import get_extractor

    images_seen, extractor = 0, get_extractor("efficientnet_lite0")

    def counting(weights: Path) -> Callable[[Any], Any]:
        forward = extractor.load(weights)

        def counted(batch: Any) -> Any:
            nonlocal images_seen
            images_seen += len(batch)
            return forward(batch)

        return counted

    found = FeatureStore(Path(".features")).features(replace(extractor, load=counting), list(images), 32)
    digest = hashlib.sha256(found.tobytes()).hexdigest()
    return {"mean": float(found.mean()), "sha256": digest, "images_seen": images_seen}


def copies(samples: NDArray[np.uint8], instances: NDArray[np.uint8]) -> Metrics:
    """Copies by structure."""
    from anomend.measuring.memorisation import copies_by_structure

    found = copies_by_structure(list(samples), list(instances))
    return {"rate": found.rate}


def polynomial_blocks(first: NDArray[np.float32], second: NDArray[np.float32]) -> Metrics:
    """Kernel distance (KID's kernel), by this project."""
    from anomend.measuring.kernel_distance import kernel_distance

    return {"distance": kernel_distance(first, second)}


def gaussian_blocks(first: NDArray[np.float32], second: NDArray[np.float32]) -> Metrics:
    """Squared MMD by a Gaussian kernel, by this project."""
    from anomend.measuring.kernel_distance import kernel_distance
    from anomend.measuring.kernels import gaussian_kernel

    return {"distance": kernel_distance(first, second, gaussian_kernel(_bandwidth(first)))}


def polynomial_whole(first: NDArray[np.float32], second: NDArray[np.float32]) -> Metrics:
    """The same from whole matrices."""
    x, y = first.astype(np.float64), second.astype(np.float64)
    return _from_whole(*((a @ b.T / a.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))))


def gaussian_whole(first: NDArray[np.float32], second: NDArray[np.float32]) -> Metrics:
    """The same from whole matrices, with scipy's distances."""
    from scipy.spatial.distance import cdist

    x, y, scale = first.astype(np.float64), second.astype(np.float64), 2 * _bandwidth(first) ** 2
    return _from_whole(*(np.exp(-cdist(a, b, "sqeuclidean") / scale) for a, b in ((x, x), (y, y), (x, y))))


def _bandwidth(values: NDArray[np.float32]) -> float:
    return float(np.sqrt(values.shape[1]))


def _from_whole(one: NDArray[np.float64], two: NDArray[np.float64], across: NDArray[np.float64]) -> Metrics:
    own = [(matrix.sum() - np.trace(matrix)) / (len(matrix) * (len(matrix) - 1)) for matrix in (one, two)]
    return {"distance": float(own[0] + own[1] - 2 * across.mean())}


WORKS: dict[str, Callable[..., Metrics]] = {
    work.__name__: work
    for work in (
        set_ours,
        set_scikit_image,
        set_published,
        features,
        features_stored,
        copies,
        polynomial_blocks,
        gaussian_blocks,
        polynomial_whole,
        gaussian_whole,
    )
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("files", nargs="+", type=Path)
    args = parser.parse_args(arguments)
    work, arrays = WORKS[args.work], [np.load(path) for path in args.files]
    # What is imported and loaded at the first call is not the work: two tiny images or features first.
    work(*(array[:2, :16, :16] if array.ndim > 2 else array[:2] for array in arrays))
    metrics: Metrics = {}
    for _ in range(args.repeat):
        metrics = work(*arrays)
    args.out.write_text(json.dumps(metrics))


if __name__ == "__main__":
    main()
