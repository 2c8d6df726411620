"""Features on disk by content: no extractor runs twice on the same image.

A feature's key is the SHA-256 of the picture's values and of everything that its features depend on: extractor,
weights, resizing, the code that extracts, and the versions of the packages that it calls. So nothing has to be
invalidated, and the folder can be deleted at any time. The last bits of a feature can also depend on the batch size and
the processor; these are not part of the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.detectors.detector import Detector
from anomend.measuring import features, networks, pictures, placing
from anomend.measuring.features import FeatureExtractor, Images
from anomend.project.files import sha256_of, written_whole

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_CODE = [sha256_of(Path(str(module.__file__))) for module in (features, networks, pictures, placing)]
"""Digests of the code between an image and its features; a change to it, even to a comment, computes them again."""
_PACKAGES = (
    "torch",
    "pillow",
    "transformers",
    "efficientnet-lite-pytorch",
    "torchmetrics",
    "torchvision",
    "torch-fidelity",
)
"""Packages that resize images and run networks."""


_KEPT_AT_ONCE = 256
"""Images after which detected anomalies are stored, so that a killed run continues where it stopped."""


class FeatureStore:
    """Arrays in a folder, one file per key; several processes may share it."""

    def __init__(self, folder: Path, device: str = "cpu", *, detection: Sequence[Any] = ()) -> None:
        """
        Args:
            folder: where arrays are kept.
            device: what computes features that are missing: `cpu`, `cuda`, or `auto`.
            detection: what anomalies depend on besides detector and image, such as the fingerprint of its code and its
                parameters; empty: they are not kept.
        """
        self.folder, self.device, self.detection = folder, device, detection

    def features(
        self, extractor: FeatureExtractor, images: Images, batch_size: int = 32, *, progress: bool = False
    ) -> NDArray[np.float32]:
        """`extractor.extract(images)`, computed only for images that are not stored yet.

        Each batch is stored as soon as it is done, so a killed run continues where it stopped.

        Args:
            extractor: the extractor.
            images: arrays (H, W, 3) of uint8; equal images are computed once.
            batch_size: images per forward pass.
            progress: show a bar.

        Returns:
            Shape (n, dimension), in the order of the images.

        Raises:
            ValueError: an image is not RGB of uint8, or a feature is not finite.
            FileNotFoundError: the weights are missing and cannot be downloaded.
        """
        start_of_key = _start_of_key(extractor, "features")
        keys = [_key(start_of_key, [image]) for image in images]
        stored = {key: self._read(key) for key in dict.fromkeys(keys)}
        missing = {key: row for row, key in enumerate(keys) if stored[key] is None}
        todo = list(missing.items())
        starts = range(0, len(todo), batch_size)
        for start in tqdm(starts, desc=f"features ({extractor.name})", disable=not progress or not todo):
            batch = todo[start : start + batch_size]
            computed = extractor.extract([images[row] for _, row in batch], batch_size, device=self.device)
            for (key, _), values in zip(batch, computed, strict=True):
                self._write(key, values)
                stored[key] = values
        rows = [stored[key] for key in keys]
        return np.stack(rows) if rows else np.empty((0, extractor.dimension), dtype=np.float32)  # type: ignore[arg-type]

    def array(
        self, name: str, *, extractor: FeatureExtractor, images: Images, compute: Callable[[], NDArray[Any]]
    ) -> NDArray[Any]:
        """An array that depends on a list of images and an extractor, such as a matrix of their distances.

        Args:
            name: name of the array; another computation needs another name.
            extractor: computes the features that the array depends on.
            images: all images that the array depends on, in order.
            compute: computes the array where it is not stored yet.
        """
        key = _key(_start_of_key(extractor, name), images)
        array = self._read(key)
        if array is None:
            array = compute()
            self._write(key, array)
        return array

    def anomalies(self, detector: Detector, images: Images) -> list[tuple[str, ...]]:
        """`detector.anomalies(images)`, computed only for images that are not stored yet.

        Raises:
            ValueError: the detector cannot read an image.
        """
        if not self.detection:
            return detector.anomalies(images, progress=True)
        about = ["anomalies", detector.name, detector.provenance(), self.detection]
        keys = [_key(hashlib.sha256(json.dumps(about).encode()), [image]) for image in images]
        stored = {key: self._read(key) for key in dict.fromkeys(keys)}
        missing = {key: image for key, image in zip(keys, images, strict=True) if stored[key] is None}
        for start in range(0, len(missing), _KEPT_AT_ONCE):
            part = list(missing.items())[start : start + _KEPT_AT_ONCE]
            found = detector.anomalies([image for _, image in part], progress=True)
            for (key, _), kinds in zip(part, found, strict=True):
                array = np.array(kinds, dtype=np.str_)
                self._write(key, array)
                stored[key] = array
        return [tuple(str(kind) for kind in stored[key]) for key in keys]  # type: ignore[union-attr]

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npy"

    def _read(self, key: str) -> NDArray[Any] | None:
        try:
            return np.asarray(np.load(self._path(key), allow_pickle=False))
        except (OSError, ValueError, EOFError):
            return None  # Missing or damaged: it is computed again.

    def _write(self, key: str, values: NDArray[Any]) -> None:
        with written_whole(self._path(key), durable=False) as partial, partial.open("wb") as file:
            np.save(file, values, allow_pickle=False)


def _start_of_key(extractor: FeatureExtractor, name: str) -> Hash:
    return hashlib.sha256(json.dumps([name, extractor.provenance(), _versions(), _CODE]).encode())


def _key(start: Hash, images: Images) -> str:
    digest = start.copy()
    for image in images:
        values = np.ascontiguousarray(image)
        digest.update(f"{values.shape} {values.dtype};".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    """Versions of `_PACKAGES`, as far as they are installed."""
    installed = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            installed[name] = version(name)
    return installed
