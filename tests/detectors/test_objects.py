"""Detectors of labelled boxes: RT-DETR's classes with random weights, whose every box gets the class that is wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anomend.detectors.detector import Detector
from anomend.detectors.objects import load_detect
from anomend.detectors.observation import Image, Observation
from anomend.detectors.table import check_detector, make_detector
from anomend.judging.registry import make_judge
from anomend.judging.settings import JudgeSettings
from tests.detectors.settings import detector_params

SETTINGS = detector_params()


def model(folder: Path, logits: tuple[float, float], names: tuple[str, str], licence: str | None = "mit") -> str:
    from tests.detectors.test_photographs_rtdetr import save_rtdetr

    save_rtdetr(folder, logits, names)
    if licence is not None:
        (folder / "README.md").write_text(f"---\nlicense: {licence}\n---\n# Detector\n")
    return f"objects:{folder}@{hashlib.sha256((folder / 'model.safetensors').read_bytes()).hexdigest()}"


NAMES = ("extra arm", "person")


@pytest.mark.slow
def test_labels_that_begin_with_a_fault_are_anomalies(tmp_path: Path) -> None:
    from tests.detectors.test_photographs_rtdetr import IMAGE

    for logits, expected in (((9.0, -9.0), ("extra_arm",)), ((-9.0, 9.0), ()), ((-9.0, -9.0), ())):
        name = model(tmp_path / str(logits[0] - logits[1]), logits, NAMES)
        check_detector(name, SETTINGS, "anomalies")
        assert make_detector(name, SETTINGS).kinds == ("extra_arm",)
        assert make_detector(name, SETTINGS).anomalies([IMAGE, IMAGE[:, ::-1]]) == [expected] * 2


@pytest.mark.slow
def test_several_images_at_once_are_seen_as_each_alone(tmp_path: Path) -> None:
    from tests.detectors.test_photographs_rtdetr import IMAGE

    model(tmp_path / "model", (0.3, -9.0), NAMES)
    detect = load_detect(tmp_path / "model", {0: "extra_arm"}, torch.device("cpu"))
    images = [IMAGE, IMAGE[:, ::-1], IMAGE[::-1]]
    assert detect(images) == [detect([image])[0] for image in images]


def test_images_of_one_size_go_together_where_the_detector_takes_several() -> None:
    sizes: list[int] = []

    def together(images: Sequence[Image]) -> list[Observation]:
        sizes.append(len(images))
        return [alone(image) for image in images]

    def alone(image: Image) -> Observation:
        return Observation(anomalies=("dark",) if image.mean() < 9 else ())

    images = [np.full((4, 4, 3), value, np.uint8) for value in range(18)]
    expected = [("dark",)] * 9 + [()] * 9
    assert Detector(name="x", detect=alone).anomalies(images) == expected
    both = Detector(name="x", detect=alone, detect_together=together)
    assert both.anomalies(images) == expected and sizes == [16, 2]
    # Of several sizes each goes alone.
    assert both.anomalies([images[0], images[17][:2]]) == [("dark",), ()] and sizes == [16, 2]
    assert both.anomalies([]) == []


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"torch sees no GPU here: set base\.device=auto"):
        make_detector(model(tmp_path, (9.0, -9.0), NAMES), SETTINGS, "cuda")


@pytest.mark.slow
def test_two_labels_of_one_name_are_one_kind_in_the_models_order(tmp_path: Path) -> None:
    name = model(tmp_path, (9.0, 9.0), ("Missing-leg", "extra arm"))
    assert make_detector(name, SETTINGS).kinds == ("missing_leg", "extra_arm")
    said = make_detector(name, SETTINGS).provenance()
    assert said == {"detector_source": name.removeprefix("objects:"), "detector_licence": "mit"}


@pytest.mark.slow
def test_a_model_that_cannot_be_used_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    good = model(tmp_path, (9.0, -9.0), NAMES)
    with pytest.raises(ValueError, match=r"is not the pinned file: its SHA-256 is [0-9a-f]{64}"):
        check_detector(good[:-1] + ("0" if good[-1] != "0" else "1"), SETTINGS, "anomalies")
    with pytest.raises(ValueError, match="does not have the shape"):
        check_detector(f"objects:{tmp_path}", SETTINGS, "anomalies")
    with pytest.raises(ValueError, match=r"names an anomaly \(cat, person\)"):
        check_detector(model(tmp_path / "cats", (0.0, 0.0), ("cat", "person")), SETTINGS, "anomalies")
    with pytest.raises(ValueError, match="names no licence"):
        check_detector(model(tmp_path / "unnamed", (0.0, 0.0), NAMES, licence=None), SETTINGS, "anomalies")
    with pytest.raises(ValueError, match=r"does not have a model\.safetensors"):
        check_detector(f"objects:{tmp_path / 'nowhere'}@{'0' * 64}", SETTINGS, "anomalies")


@pytest.mark.slow
def test_a_hub_model_that_cannot_be_downloaded_names_the_way_out() -> None:
    name = f"objects:nobody-here/no-such-model@{'0' * 40}"
    check_detector(name, SETTINGS, "anomalies")
    with pytest.raises(FileNotFoundError, match="set the detector to none"):
        make_detector(name, SETTINGS)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_judge_by_a_detector_runs_where_base_device_says(tmp_path: Path) -> None:
    settings = JudgeSettings(detector=model(tmp_path / "model", (9.0, -9.0), NAMES), detectors=SETTINGS)
    make_judge("anatomy", settings)
    with pytest.raises(ValueError, match=r"torch sees no GPU here: set base\.device=auto"):
        make_judge("anatomy", replace(settings, device="cuda"))
