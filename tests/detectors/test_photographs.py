"""The detector of photographs: what its observations are called, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anomend.detectors.observation import Observation
from anomend.detectors.photographs.detector import CAUTION, KINDS, with_anomalies
from anomend.detectors.photographs.pose import Body, visible_joints
from anomend.detectors.table import check_detector, make_detector
from tests.detectors import photographs as made
from tests.detectors.photographs import NETWORKS, needs_networks, needs_paper, published
from tests.detectors.settings import detector_params

PERSON = np.ones((4, 4), dtype=bool)


def seen(persons: int, anatomy: float | None = 0.9, hands: float | None = 0.9) -> Observation:
    region = PERSON if anatomy is not None else None
    return Observation(persons=persons, region=region, anatomy=anatomy, hands=hands)


@pytest.mark.parametrize(
    ("observation", "kinds"),
    [
        (seen(1), ()),
        (seen(0, None, None), ("missing_person",)),
        (seen(3), ("extra_person",)),
        (seen(1, 0.49), ("unclear_body",)),
        (seen(1, None, None), ("unclear_body",)),  # a face without a body
        (seen(1, hands=0.49), ("unclear_hands",)),
        (seen(1, 0.5, 0.5), ()),
        (seen(1, hands=None), ()),  # no wrist is seen, so no hand is expected
        (seen(2, 0.1, 0.1), ("extra_person", "unclear_body", "unclear_hands")),
    ],
)
def test_anomalies_of_detectability_are_named(observation: Observation, kinds: tuple[str, ...]) -> None:
    assert with_anomalies(observation).anomalies == kinds
    assert set(kinds) <= set(KINDS)


def test_joints_count_where_they_are_seen_on_the_person_and_in_the_picture() -> None:
    region = np.zeros((40, 60), dtype=bool)
    region[:, :30] = True
    points, visibility = np.full((33, 2), 10.0), np.full(33, 0.9)
    seen = Body(presence=1.0, points=points, visibility=visibility, region=region)
    assert visible_joints(body=seen, least=0.5) == 1
    points[23:25] = -3, 10  # hips out of the picture
    points[25:27] = 10, 40  # knees below it
    points[27:29] = 45, 10  # ankles beside the person
    visibility[15:17] = 0.4  # hidden wrists
    visibility[:11] = points[17:23] = points[29:] = 0  # neither the face nor fingers and toes count
    assert visible_joints(body=seen, least=0.5) == pytest.approx(4 / 12)


def test_missing_and_foreign_networks_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="make photograph-models") as refused:
        check_detector("photographs", detector_params(tmp_path / "networks"), "anomalies")
    assert str(tmp_path / "networks") in str(refused.value) and "\n" not in str(refused.value)
    (tmp_path / "pose_detection.tflite").write_bytes(b"another network")
    with pytest.raises(ValueError, match="is not the published file"):
        check_detector("photographs", detector_params(tmp_path), "curation")


@needs_networks
def test_it_says_that_it_is_not_proof_and_where_it_comes_from() -> None:
    detector = make_detector("photographs", detector_params(NETWORKS))
    assert detector.kinds == KINDS and detector.caution == CAUTION
    said = detector.provenance()
    assert "not whether these are right" in said["detector_caution"] and said["detector_licence"] == "Apache-2.0"


@needs_networks
def test_a_picture_without_people_has_neither_region_nor_parts() -> None:
    empty = make_detector("photographs", detector_params(NETWORKS)).detect(np.full((64, 64, 3), 200, np.uint8))
    assert empty.persons == 0 and empty.region is None and empty.parts == {}
    assert empty.anomalies == ("missing_person",)


@needs_networks
@needs_paper
@pytest.mark.slow
def test_pictures_that_were_made_wrong() -> None:
    settings = detector_params(NETWORKS)
    check_detector("photographs", settings, "anomalies")
    first, second = published()[:2]
    small = [one[::2, ::2] for one in (first, made.without_people(first), made.side_by_side(first, second))]
    right, empty, two = make_detector("photographs", settings).anomalies(small)
    assert right == () and empty == ("missing_person",) and "extra_person" in two
