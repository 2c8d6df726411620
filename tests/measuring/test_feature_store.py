"""Features by content: what is stored is what would be computed, and is not computed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anomend.detectors.detector import Detector
from anomend.detectors.observation import Observation
from anomend.measuring import feature_store
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import FeatureExtractor


def counting(tmp_path: Path, weights: bytes = b"weights") -> tuple[FeatureExtractor, list[int]]:
    """An extractor whose features are the mean of each channel, and the number of images of each of its passes."""
    file, passes = tmp_path / f"{weights.decode()}.bin", []
    file.write_bytes(weights)

    def load(_: Path) -> Callable[[torch.Tensor], torch.Tensor]:
        def forward(batch: torch.Tensor) -> torch.Tensor:
            passes.append(len(batch))
            return batch.mean(dim=(2, 3))

        return forward

    return FeatureExtractor(
        name="means", dimension=3, source="test", mean=(0.0,) * 3, std=(1.0,) * 3, find=lambda: file, load=load, side=8
    ), passes


def pictures(n: int, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8))


def test_a_second_run_computes_nothing(tmp_path: Path) -> None:
    extractor, passes = counting(tmp_path)
    images = pictures(5)
    first = FeatureStore(tmp_path / "store").features(extractor, images, 2)
    assert passes == [2, 2, 1]
    assert np.allclose(first, [image.mean(axis=(0, 1)) for image in images], atol=1e-4)
    again = FeatureStore(tmp_path / "store").features(extractor, images[::-1], 2)
    assert passes == [2, 2, 1] and np.array_equal(again, first[::-1])


def test_only_what_is_new_is_computed_and_equal_images_once(tmp_path: Path) -> None:
    extractor, passes = counting(tmp_path)
    store, images = FeatureStore(tmp_path / "store"), pictures(3)
    store.features(extractor, images[:1])
    found = store.features(extractor, [images[0], images[1], images[1], images[2]])
    assert passes == [1, 2]
    assert np.array_equal(found[1], found[2]) and not np.array_equal(found[0], found[1])


def test_one_pixel_other_weights_and_another_resizing_are_other_features(tmp_path: Path) -> None:
    extractor, passes = counting(tmp_path)
    store, image = FeatureStore(tmp_path / "store"), pictures(1)[0]
    store.features(extractor, [image])
    changed = image.copy()
    changed[0, 0, 0] ^= 1
    store.features(extractor, [changed])
    store.features(replace(extractor, side=4), [image])
    store.features(counting(tmp_path, b"others")[0], [image])
    assert passes == [1, 1, 1]
    assert len(list((tmp_path / "store").rglob("*.npy"))) == 4
    # The same bytes as another shape are another picture.
    store.features(extractor, [image.reshape(4, 16, 3)])
    assert passes == [1, 1, 1, 1]


def test_another_version_of_what_resizes_or_runs_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor, passes = counting(tmp_path)
    store, images = FeatureStore(tmp_path / "store"), pictures(1)
    store.features(extractor, images)
    installed = feature_store._versions()
    assert {"torch", "pillow", "transformers"} <= set(installed)
    for name in installed:
        monkeypatch.setattr(feature_store, "_versions", lambda name=name: installed | {name: "0.0"})
        store.features(extractor, images)
    monkeypatch.undo()
    store.features(extractor, images)
    assert sum(passes) == 1 + len(installed)


def test_a_damaged_file_is_computed_anew(tmp_path: Path) -> None:
    extractor, passes = counting(tmp_path)
    store, images = FeatureStore(tmp_path / "store"), pictures(2)
    first = store.features(extractor, images)
    files = sorted((tmp_path / "store").rglob("*.npy"))
    files[0].write_bytes(files[0].read_bytes()[:40])
    files[1].write_bytes(b"")
    assert np.array_equal(store.features(extractor, images), first) and passes == [2, 2]


def test_what_was_done_before_a_failure_is_kept(tmp_path: Path) -> None:
    extractor, passes = counting(tmp_path)
    store, images = FeatureStore(tmp_path / "store"), pictures(4)
    with pytest.raises(ValueError, match="RGB"):
        store.features(extractor, [*images, np.zeros((8, 8), np.uint8)], 2)
    store.features(extractor, images, 2)
    assert passes == [2, 2]


def test_no_image_gives_no_row(tmp_path: Path) -> None:
    assert FeatureStore(tmp_path / "store").features(counting(tmp_path)[0], []).shape == (0, 3)


def test_an_array_depends_on_its_name_and_on_every_image_in_order(tmp_path: Path) -> None:
    extractor, _ = counting(tmp_path)
    store, images, made = FeatureStore(tmp_path / "store"), pictures(2), []

    def compute() -> np.ndarray:
        made.append(1)
        return np.full((2, 2), len(made), dtype=np.float64)

    for what, given in (("a", images), ("a", images), ("b", images), ("a", images[::-1])):
        store.array(what, extractor=extractor, images=given, compute=compute)
    assert len(made) == 3
    assert store.array("a", extractor=extractor, images=images, compute=compute).tolist() == [[1, 1], [1, 1]]


def test_no_detector_runs_twice_on_an_image_unless_it_is_another_one(tmp_path: Path) -> None:
    seen: list[int] = []

    def detect(image: np.ndarray) -> Observation:
        seen.append(int(image[0, 0, 0]))
        return Observation(persons=1, anomalies=("extra_arm", "missing_leg") if image[0, 0, 0] % 2 else ())

    detector, images = Detector(name="own", detect=detect, kinds=("extra_arm", "missing_leg")), pictures(4)
    found = [FeatureStore(tmp_path, detection=["code"]).anomalies(detector, part) for part in (images[:2], images)]
    assert len(seen) == 4 and found[1] == [
        ("extra_arm", "missing_leg") if image[0, 0, 0] % 2 else () for image in images
    ]
    assert found[0] == found[1][:2] and {len(each) for each in found[1]} == {0, 2}
    FeatureStore(tmp_path, detection=["other code"]).anomalies(detector, images)
    FeatureStore(tmp_path, detection=["code"]).anomalies(replace(detector, source="other weights"), images)
    assert len(seen) == 12
    FeatureStore(tmp_path).anomalies(detector, images)
    assert len(seen) == 16
