"""Inception's features, on which alone a Frechet distance is the FID.

The network is the TensorFlow graph of Heusel et al. 2017 as TorchScript, the file that StyleGAN2-ADA and clean-fid use
(NVIDIA; 96 MB). No package ships it: it is used where you have put it, and pinned by its digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomend.project.files import sha256_of

URL = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt"
SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"


def inception_features(
    images: Sequence[NDArray[np.uint8]], weights: Path, *, sha256: str = SHA256
) -> NDArray[np.float64]:
    """The 2048 features before the classifier; the network scales the images to 299 x 299 itself.

    Args:
        images: RGB images (H, W, 3) of uint8, one at a time.
        weights: the file of the network.
        sha256: its digest. A TorchScript file contains code, so no other file is run.

    Returns:
        Shape (n, 2048).

    Raises:
        FileNotFoundError: the file is not there.
        ValueError: it is another file.
    """
    import torch

    if not weights.is_file():
        raise FileNotFoundError(
            f"Inception's weights are not in {weights}: put there what lies at {URL}, and run again with `dvc repro -f`"
        )
    if sha256_of(weights) != sha256:
        raise ValueError(f"{weights} is not the published file of Inception's weights: fetch it again")
    network = torch.jit.load(str(weights), map_location="cpu").eval()
    features = []
    with torch.inference_mode():
        for image in images:
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
            features.append(network(pixels, return_features=True).double().numpy()[0])
    return np.stack(features)
