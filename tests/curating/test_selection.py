"""Decisions: every criterion by itself, repeated images, and what a person decided by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomend.curating.curation import Curation
from anomend.curating.decisions import read_decisions
from anomend.curating.framing import framed
from anomend.curating.picture_metrics import perceptual_hashes
from anomend.curating.reasons import ImageMetrics, reasons_against
from anomend.curating.selection import Candidate, Examination, examine, rejections, select
from anomend.detectors.criteria import PHOTOGRAPHS, Criteria
from anomend.detectors.detector import Detector
from anomend.detectors.observation import Observation
from tests.curating.test_picture_metrics import scene

GOOD = ImageMetrics(
    side=1024,
    sharpness=0.7,
    persons=1,
    area=0.5,
    inside=1.0,
    background=0.1,
    body=0.9,
    anatomy=0.8,
    hands=0.9,
)
STRICT = Criteria(
    min_side=1024,
    min_area=0.15,
    min_inside=0.9,
    max_background=0.35,
    min_sharpness=0.4,
    min_body=0.3,
    min_anatomy=0.3,
    min_hands=0.5,
    min_distance=10,
)


def examined(metrics: ImageMetrics, number: int) -> Examination:
    return Examination(metrics, perceptual_hashes(scene(number)), (0, 0, 256))


def candidate(number: int, digest: str = "", original: str | None = None) -> Candidate:
    return Candidate(
        path=Path(f"{number:04d}.png"),
        sha256=digest or f"{number:064x}",
        source="folder",
        detector="drawn_people",
        original=original,
    )


@pytest.mark.parametrize(
    ("changed", "reason", "words"),
    [
        ({"persons": 0}, "persons", "nobody"),
        ({"persons": 3}, "persons", "3 people"),
        ({"anomalies": ("missing_arm", "extra_leg")}, "anomalies", "missing_arm extra_leg"),
        ({"side": 512}, "side", "low resolution (512 < 1024)"),
        ({"area": 0.1}, "area", "small person (0.1 < 0.15)"),
        ({"inside": 0.5}, "inside", "cut by the square (0.5 < 0.9)"),
        ({"background": 0.4}, "background", "busy background (0.4 > 0.35)"),
        ({"sharpness": 0.1}, "sharpness", "blurred (0.1 < 0.4)"),
        ({"body": 0.1}, "body", "little of the body (0.1 < 0.3)"),
        ({"anatomy": 0.2}, "anatomy", "unclear body (0.2 < 0.3)"),
        ({"hands": 0.2}, "hands", "unclear hands (0.2 < 0.5)"),
    ],
)
def test_every_criterion_rejects_by_itself(changed: dict[str, object], reason: str, words: str) -> None:
    assert reasons_against(GOOD, STRICT) == {}
    reasons = reasons_against(replace(GOOD, **changed), STRICT)  # type: ignore[arg-type]
    assert reasons == {reason: words}


def test_unknown_measurements_and_unset_thresholds_reject_nothing() -> None:
    assert reasons_against(ImageMetrics(side=1024, sharpness=0.7), STRICT) == {}
    bad = ImageMetrics(side=1, sharpness=0.0, persons=7, area=0.0)
    assert reasons_against(bad, Criteria(one_person=False)) == {}


def test_of_two_that_are_alike_the_better_one_stays() -> None:
    pictures = [examined(replace(GOOD, sharpness=0.5), 0), examined(GOOD, 0), examined(GOOD, 1), examined(GOOD, 0)]
    selections = select([candidate(number) for number in range(4)], pictures, {"drawn_people": STRICT}, [])
    assert [selection.kept for selection in selections] == [False, True, True, False]
    assert selections[0].text == selections[3].text == "near-duplicate of 0001.png (0 bits)"
    assert rejections(selections) == {"duplicate": 2}


def test_a_wide_picture_and_its_own_square_cut_are_one_training_image() -> None:
    cut = scene(3)
    sides = np.full((256, 128, 3), 120, np.uint8)
    wide = np.concatenate([sides, cut, sides], axis=1)
    blind = Detector(name="test", detect=lambda image: Observation())
    pictures = [examine(picture, blind, 128) for picture in (wide, cut, scene(4))]
    assert np.array_equal(framed(wide, pictures[0].cut, 128), framed(cut, pictures[1].cut, 128))
    criteria = Criteria(one_person=False, min_distance=10)
    selections = select([candidate(number) for number in range(3)], pictures, {"drawn_people": criteria}, [])
    assert sorted(selection.kept for selection in selections[:2]) == [False, True] and selections[2].kept
    assert "near-duplicate" in selections[0].text + selections[1].text


def test_a_face_without_a_body_is_rejected_though_its_area_and_anatomy_are_unknown() -> None:
    face = ImageMetrics(side=1024, sharpness=0.7, persons=1, body=0.0)
    assert reasons_against(face, PHOTOGRAPHS) == {"body": "little of the body (0 < 0.45)"}


def test_a_rejected_image_pushes_out_none_that_resembles_it() -> None:
    pictures = [examined(replace(GOOD, sharpness=0.9, persons=2), 0), examined(GOOD, 0)]
    selections = select([candidate(0), candidate(1)], pictures, {"drawn_people": STRICT}, [])
    assert [selection.kept for selection in selections] == [False, True]


def test_decisions_by_hand_win(tmp_path: Path) -> None:
    table = tmp_path / "decisions.csv"
    table.write_text(f"image,decision,note\n{'ab' * 32},keep,she is the one\nbeach.jpg,reject,\nabcdef01,Keep,\n")
    pictures = [
        examined(replace(GOOD, persons=2), 0),
        examined(GOOD, 1),
        examined(replace(GOOD, sharpness=0.1), 0),
        examined(replace(GOOD, sharpness=0.9), 1),
    ]
    candidates = [
        candidate(0, "ab" * 32),
        candidate(1, original="other.jpg"),
        candidate(2, "abcdef01" + "0" * 56),
        candidate(3, original="beach.jpg"),
    ]
    selections = select(candidates, pictures, {"drawn_people": STRICT}, read_decisions(table))
    assert [selection.kept for selection in selections] == [True, True, True, False]
    assert selections[0].text == "kept by hand: she is the one; 2 people"
    # The sharper image was rejected by hand, so it does not push out the one that resembles it.
    assert selections[1].text == "" and selections[3].text == "rejected by hand"
    assert rejections(selections) == {"by_hand": 1}
    curation = Curation(candidates=candidates, examinations=pictures, selections=selections)
    assert list(curation.table()["by_hand"]) == ["keep", "", "keep", "reject"] and curation.kept == 3


def test_anomalies_reject_only_where_they_are_proof() -> None:
    seen = Observation(persons=1, anomalies=("unclear_body",))
    proof = Detector(name="test", detect=lambda image: seen)
    assert examine(scene(0), proof, 256).metrics.anomalies == ("unclear_body",)
    assert examine(scene(0), replace(proof, caution="guesses"), 256).metrics.anomalies == ()
