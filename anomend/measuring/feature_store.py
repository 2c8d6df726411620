"""Features on disk by content: an image that was once looked at by an extractor is not looked at again.

A feature's key is the SHA-256 of the picture's values together with what its features depend on: extractor, weights,
resizing, the code that extracts, and the versions of the packages that it calls. So nothing has to be invalidated, and
the folder can be removed at any time. The last bits of a feature can also depend on the size of the batch that it was
taken in, and on the processor; these are no part of the key.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.measuring import features, networks
from anomend.measuring.features import FeatureExtractor, Images
from anomend.measuring.networks import sha256

if TYPE_CHECKING:
    from hashlib import _Hash as Hash


_CODE = [sha256(Path(str(module.__file__))) for module in (features, networks)]
_PACKAGES = (
    "torch",
    "pillow",
    "transformers",
    "efficientnet-lite-pytorch",
    "torchmetrics",
    "torchvision",
    "torch-fidelity",
)
"""What resizes images and runs networks."""


class FeatureStore:
    """Arrays in a folder, one file a key; several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def features(
        self, extractor: FeatureExtractor, images: Images, batch_size: int = 32, *, progress: bool = False
    ) -> NDArray[np.float32]:
        """`extractor.extract(images)`, of which only images that are not stored yet are computed.

        A batch is stored as soon as it is done, so that a run which is killed goes on where it stopped.

        Raises:
            ValueError: an image is not RGB of uint8, or a feature is not finite.
            FileNotFoundError: the weights are not here and cannot be had.
        """
        start_of_key = _start_of_key(extractor, "features")
        keys = [_key(start_of_key, [image]) for image in images]
        known = {key: self._read(key) for key in dict.fromkeys(keys)}
        missing = {key: row for row, key in enumerate(keys) if known[key] is None}
        todo = list(missing.items())
        starts = range(0, len(todo), batch_size)
        for start in tqdm(starts, desc=f"features ({extractor.name})", disable=not progress or not todo):
            batch = todo[start : start + batch_size]
            found = extractor.extract([images[row] for _, row in batch], batch_size)
            for (key, _), values in zip(batch, found, strict=True):
                self._write(key, values)
                known[key] = values
        rows = [known[key] for key in keys]
        return np.stack(rows) if rows else np.empty((0, extractor.dimension), dtype=np.float32)  # type: ignore[arg-type]

    def array(
        self, what: str, extractor: FeatureExtractor, images: Images, compute: Callable[[], NDArray[Any]]
    ) -> NDArray[Any]:
        """An array that depends on a list of images and an extractor, such as a matrix of their distances.

        Args:
            what: name of the array; another computation needs another name.
            extractor: whose features it rests on.
            images: all images that enter, in order.
            compute: called where the array is not stored yet.
        """
        key = _key(_start_of_key(extractor, what), images)
        found = self._read(key)
        if found is None:
            found = compute()
            self._write(key, found)
        return found

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npy"

    def _read(self, key: str) -> NDArray[Any] | None:
        try:
            return np.asarray(np.load(self._path(key), allow_pickle=False))
        except (OSError, ValueError, EOFError):
            return None  # Not there, or damaged: it is computed anew.

    def _write(self, key: str, values: NDArray[Any]) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{key}.{os.getpid()}.part")
        with part.open("wb") as file:
            np.save(file, values, allow_pickle=False)
        part.replace(path)


def _start_of_key(extractor: FeatureExtractor, what: str) -> Hash:
    return hashlib.sha256(json.dumps([what, extractor.provenance(), _versions(), _CODE]).encode())


def _key(start: Hash, images: Images) -> str:
    digest = start.copy()
    for image in images:
        values = np.ascontiguousarray(image)
        digest.update(f"{values.shape} {values.dtype};".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    """Of `_PACKAGES`, as far as they are installed."""
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
