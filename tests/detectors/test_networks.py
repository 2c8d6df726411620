"""The networks' files: fetched, checked against their digests, and refused in one sentence where they are missing."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from anomend.detectors.photographs.detection import SHAPES, Detection, anchors, merge_overlapping, overlap
from anomend.detectors.photographs.networks import FILES, load_networks, missing_networks
from anomend.detectors.photographs.people import parts
from commands.fetch_photograph_networks import unpack
from tests.detectors.photographs import NETWORKS, needs_networks


def test_missing_networks_are_one_sentence_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as refused:
        load_networks(tmp_path)
    assert "make photograph-models" in str(refused.value) and len(str(refused.value).splitlines()) == 1


def test_another_file_under_a_networks_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pose_detection.tflite").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"pose_detection\.tflite is not the published file"):
        load_networks(tmp_path)


def test_a_wheel_without_the_networks_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("other/module.py", "")
    with pytest.raises(ValueError, match=r"other\.whl does not have .*tflite"):
        unpack(tmp_path / "other.whl", tmp_path / "out")


@needs_networks
def test_a_wheel_with_them_fills_the_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "wheel.whl", "w") as archive:
        for network in FILES.values():
            archive.write(NETWORKS / Path(network.path).name, network.path)
    unpack(tmp_path / "wheel.whl", tmp_path / "out")
    assert missing_networks(tmp_path / "out") == [] and missing_networks(tmp_path) == list(FILES)


@needs_networks
def test_there_are_as_many_anchors_as_predictions() -> None:
    networks = load_networks(NETWORKS)
    for name, shape in SHAPES.items():
        predictions, _ = networks[name](np.zeros((shape.side, shape.side, 3), np.float32))
        assert len(predictions) == len(anchors(shape))


def detection(score: float, x: float) -> Detection:
    return Detection(score, np.array([x, 10.0]), np.array([10.0, 10.0]), np.array([[x, 10.0]]))


def test_overlapping_detections_become_one_at_their_weighted_mean() -> None:
    merged = merge_overlapping([detection(0.6, 12), detection(0.9, 10), detection(0.7, 50)])
    assert [round(each.score, 2) for each in merged] == [0.9, 0.7]
    assert merged[0].centre[0] == pytest.approx((0.9 * 10 + 0.6 * 12) / 1.5)
    assert merged[0].points[0, 0] == pytest.approx(merged[0].centre[0])


def test_overlap_is_intersection_over_union() -> None:
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert overlap((0, 0, 2, 2), (2, 0, 4, 2)) == 0 and overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1


def test_parts_cover_every_picture() -> None:
    for height, width in ((100, 100), (100, 300), (301, 77), (64, 1000)):
        covered = np.zeros((height, width), bool)
        for left, top, side in parts(height, width):
            assert left + side <= width and top + side <= height
            covered[top : top + side, left : left + side] = True
        assert covered.all()
    assert list(parts(1, 5000)) == []
