"""The detector of drawn people: the miniature's checker behind the interface of all detectors."""

from __future__ import annotations

import numpy as np

from anomend.detectors.table import make_detector
from anomend.miniature.anatomy import check, part_masks
from tests.collecting.pictures import drawing
from tests.detectors.settings import detector_params

DETECTOR = make_detector("drawn_people", detector_params())
EMPTY = np.full((64, 64, 3), (90, 150, 90), np.uint8)


def test_persons_are_counted_and_the_region_is_the_persons() -> None:
    one = DETECTOR.detect(drawing())
    assert one.persons == 1 and one.region is not None and 0.05 < one.region.mean() < 0.4
    assert DETECTOR.detect(np.concatenate([drawing(0), drawing(1)], axis=1)).persons == 2
    empty = DETECTOR.detect(EMPTY)
    assert empty.persons == 0 and empty.region is None and empty.parts == {}


def test_its_anomalies_are_the_checkers_and_among_its_kinds() -> None:
    blank = np.full((64, 64, 3), 200, np.uint8)
    assert DETECTOR.anomalies([blank, drawing()]) == [check(blank).anomalies, ()]
    assert set(check(blank).anomalies) <= set(DETECTOR.kinds)
    assert "detached_arm" in DETECTOR.kinds and "detached_torso" not in DETECTOR.kinds


def test_its_parts_are_the_pixels_of_their_hues() -> None:
    image = drawing()
    parts = DETECTOR.detect(image).parts
    assert list(parts) == ["head", "arms", "legs"]
    for name, kind in (("head", "head"), ("arms", "arm"), ("legs", "leg")):
        mask = np.zeros((64, 64), bool)
        mask[parts[name][:, 1], parts[name][:, 0]] = True
        assert np.array_equal(mask, part_masks(image)[kind])


def test_its_anomalies_are_proof() -> None:
    assert DETECTOR.caution is None and DETECTOR.provenance() == {}
