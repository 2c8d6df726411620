"""Crops of body parts: they hold the part, stay blind, and are asked in both orders."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anomend.detectors.detector import Detector
from anomend.detectors.observation import Observation
from anomend.detectors.table import make_detector
from anomend.judging.analysis import analyse, analyse_parts
from anomend.judging.parts import part_boxes, part_questions, square
from anomend.judging.protocol import BlindPair, Reply, ask, blind, whole_questions
from anomend.miniature.anatomy import part_masks
from anomend.pictures.image_sets import load_image
from tests.conftest import ROOT
from tests.detectors.settings import detector_params
from tests.judging.known_judges import reply

NETWORKS = ROOT / "models" / "photographs"
PAPER = Path(os.environ.get("ANOMEND_PAPER_IMAGES", ROOT / "data" / "paper" / "images"))
DRAWN = make_detector("drawn_people", detector_params())


def test_a_square_by_hand() -> None:
    # Points 10 to 29 wide and 10 to 19 high: 20 pixels, 28 with the margin, centred on (20, 15).
    points = np.array([[10, 10], [29, 19]])
    assert square((100, 100, 3), points) == (6, 1, 34, 29)
    # At the edge it is moved, in a small picture it is cut to the shorter side.
    assert square((100, 100, 3), points - 10) == (0, 0, 28, 28)
    assert square((16, 100, 3), points) == (12, 0, 28, 16)
    left, top, right, bottom = square((64, 64, 3), np.array([[5, 5]]))
    assert right - left == bottom - top == 8


def test_the_crops_of_a_drawn_person_hold_its_parts(drawn: pd.DataFrame) -> None:
    for path in drawn["path_tuned"]:
        image = load_image(path)
        boxes = part_boxes(image, DRAWN)
        assert set(boxes) == {"head", "arms", "legs"}
        for kind, name in (("head", "head"), ("arm", "arms"), ("leg", "legs")):
            left, top, right, bottom = boxes[name]
            mask = part_masks(image)[kind]
            assert mask[top:bottom, left:right].sum() == mask.sum() > 0
            assert 0 <= left < right <= 64 and 0 <= top < bottom <= 64
    assert part_boxes(np.full((64, 64, 3), 128, np.uint8), DRAWN) == {}


def test_each_part_is_asked_about_in_both_orders_and_blind(drawn: pd.DataFrame) -> None:
    questions = part_questions(drawn, 2, DRAWN)
    assert len(questions) == len(drawn) * 3 * 2 * 2
    first, second = questions[:2]
    one, other = blind(first), blind(second)
    assert (first.order, second.order) == ("base_first", "tuned_first") and one.part == first.part == second.part
    assert one.image_a.shape[0] == one.image_a.shape[1] <= 64
    assert np.array_equal(one.image_a, other.image_b) and one.name_a == other.name_b
    assert not hasattr(one, "path_base")


def test_a_part_in_only_one_image_is_not_asked_about(drawn: pd.DataFrame) -> None:
    seen: list[int] = []

    def detect(image: np.ndarray) -> Observation:
        seen.append(1)
        points = np.array([[0, 0], [7, 7]])
        return Observation(parts={"head": points} | ({"arms": points} if len(seen) % 2 else {}))

    detector = Detector(name="test", detect=detect)
    assert {question.part for question in part_questions(drawn, 1, detector)} == {"head"}


class LikesRedArms:
    """Takes the image with more red where arms are asked about, else the first."""

    provider, model = "test", "arms"

    def judge(self, pair: BlindPair) -> Reply:
        if pair.part != "arms":
            return reply("A")
        red = [part_masks(image)["arm"].sum() for image in (pair.image_a, pair.image_b)]
        return reply("tie" if red[0] == red[1] else "A" if red[0] > red[1] else "B")


def test_parts_are_analysed_by_themselves(drawn: pd.DataFrame) -> None:
    answers = list(ask(LikesRedArms(), [*whole_questions(drawn, 1), *part_questions(drawn, 1, DRAWN)]))
    whole, parts = analyse(answers, seed=0, resamples=200), analyse_parts(answers, seed=0, resamples=200)
    assert whole["pairs"] == 5 and whole["win_rate_tuned"] == 0.5 and whole["first_position_rate"] == 1
    assert set(parts) == {"head", "arms", "legs"}
    # The tuned model's drawn person has an arm more than the base's in three of five pairs, and as many in two.
    assert parts["arms"]["win_rate_tuned"] >= 0.6 and parts["arms"]["consistency"] == 1
    assert parts["head"]["first_position_rate"] == 1
    assert analyse_parts(answers[:10], seed=0) == {}


@pytest.mark.slow
@pytest.mark.skipif(not any(NETWORKS.glob("*.tflite")), reason="the networks are missing: `make photograph-models`")
@pytest.mark.skipif(not (PAPER / "instance").is_dir(), reason="set ANOMEND_PAPER_IMAGES, or `make paper-images`")
def test_a_photographs_parts_are_where_they_should_be() -> None:
    detector = make_detector("photographs", detector_params(NETWORKS))
    for path in sorted((PAPER / "instance").iterdir()):
        image = load_image(path)
        boxes = part_boxes(image, detector)
        assert {"head", "arms"} <= set(boxes)
        centres = {name: np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]) for name, box in boxes.items()}
        # Along a body, the arms are nearer to the head than the legs are, where these can be seen.
        assert "legs" not in boxes or np.linalg.norm(centres["head"] - centres["arms"]) < np.linalg.norm(
            centres["head"] - centres["legs"]
        )
        for left, top, right, bottom in boxes.values():
            assert 0 <= left < right <= image.shape[1] and 0 <= top < bottom <= image.shape[0]
