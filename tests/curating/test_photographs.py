"""Photographs: the five published images are kept, and what must not teach the model is rejected for its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from anomend.curating.reasons import Reasons, reasons_against
from anomend.curating.selection import Candidate, Examination, examine, select
from anomend.detectors.criteria import PHOTOGRAPHS
from anomend.detectors.detector import Detector
from anomend.detectors.observation import Observation
from anomend.detectors.table import make_detector
from tests.detectors import photographs as made
from tests.detectors.photographs import NETWORKS, Picture, needs_networks, needs_paper, published
from tests.detectors.settings import detector_params

pytestmark = [needs_networks, needs_paper]
CRITERIA = PHOTOGRAPHS.overlaid({"min_side": 1024})


@pytest.fixture(scope="module")
def detector() -> Detector:
    return make_detector("photographs", detector_params(NETWORKS))


@pytest.fixture(scope="module")
def five() -> list[Picture]:
    return published()


@pytest.fixture(scope="module")
def observed(detector: Detector, five: list[Picture]) -> list[Observation]:
    return [detector.detect(picture) for picture in five]


@pytest.fixture(scope="module")
def seen(detector: Detector, five: list[Picture]) -> list[Examination]:
    return [examine(picture, detector, 1024) for picture in five]


def selections(seen: list[Examination]) -> list[tuple[bool, str]]:
    """Kept or not, and why, of pictures that were collected together."""
    candidates = [
        Candidate(path=Path(f"{row}.png"), sha256=f"{row:064x}", source="folder", detector="photographs")
        for row in range(len(seen))
    ]
    return [(selection.kept, selection.text) for selection in select(candidates, seen, {"photographs": CRITERIA}, [])]


def reasons(detector: Detector, picture: Picture) -> Reasons:
    return reasons_against(examine(picture, detector, 1024).metrics, CRITERIA)


def test_all_five_published_images_are_kept(seen: list[Examination]) -> None:
    assert selections(seen) == [(True, "")] * 5
    for one in seen:
        assert one.metrics.persons == 1 and (one.metrics.area or 0) > 0.4 and one.cut == (0, 0, 1024)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tuned", "base"])
def test_one_person_is_counted_on_every_sample_of_the_paper(detector: Detector, name: str) -> None:
    # Ten each, all of one person, though the base's have limbs too many or too few.
    assert [detector.detect(picture).persons for picture in published(name)] == [1] * 10


MAKERS: dict[str, Callable[[Picture, Picture], Picture]] = {
    "side by side": made.side_by_side,
    "squeezed": made.squeezed,
    "in the corner": made.second_in_the_corner,
    "grid of four": lambda first, second: made.grid([first, second], 2),
    "grid of nine": lambda first, second: made.grid([first, second], 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("row", range(3))  # Each of the five is in one of them.
def test_several_people_are_rejected(detector: Detector, five: list[Picture], maker: str, row: int) -> None:
    missed = reasons(detector, MAKERS[maker](five[row], five[(row + 2) % 5]))
    assert missed["persons"].endswith("people")


def test_a_grid_of_four_is_four_and_of_nine_nine(detector: Detector, five: list[Picture]) -> None:
    assert detector.detect(made.grid(five, 2)).persons == 4
    assert detector.detect(made.grid(five, 3)).persons == 9


ONE, OTHERS = pytest.param(0), [pytest.param(row, marks=pytest.mark.slow) for row in range(1, 5)]


@pytest.mark.parametrize("row", [ONE, *OTHERS])
def test_head_and_shoulders_are_not_a_person_to_learn_a_body_from(
    detector: Detector, five: list[Picture], observed: list[Observation], row: int
) -> None:
    shown = observed[row]
    assert (shown.body or 0) >= 0.5
    assert reasons(detector, made.portrait(five[row], shown.parts["head"]))["body"].startswith("little of the body (")


# In the last one, the network invents a body so large and complete that only the contact sheet tells.
@pytest.mark.parametrize("row", [ONE, *OTHERS[:-1]])
def test_a_portrait_on_a_wall_is_rejected(
    detector: Detector, five: list[Picture], observed: list[Observation], row: int
) -> None:
    portrait = made.portrait(five[row], observed[row].parts["head"])
    assert {"body", "area"} & set(reasons(detector, made.on_the_wall(five[row], portrait)))


def test_a_picture_of_two_tones_in_which_only_a_face_is_found_is_rejected(
    detector: Detector, five: list[Picture]
) -> None:
    two_tones = np.asarray(ImageOps.posterize(Image.fromarray(five[0]), 1))
    assert detector.detect(two_tones).persons == 1 and detector.detect(two_tones).region is None
    assert reasons(detector, two_tones)["body"] == "little of the body (0 < 0.45)"


@pytest.mark.parametrize("row", range(5))
def test_a_tiny_person_no_person_and_a_blurred_one_are_rejected(
    detector: Detector, five: list[Picture], row: int
) -> None:
    assert reasons(detector, made.tiny(five[row]))["area"].startswith("small person")
    assert reasons(detector, made.without_people(five[row]))["persons"] == "nobody"
    # Without its edges, fewer joints are on the person, too.
    assert {"sharpness"} <= set(reasons(detector, made.blurred(five[row]))) <= {"sharpness", "body"}
    assert {"sharpness"} <= set(reasons(detector, made.upscaled(five[row]))) <= {"sharpness", "body"}


def test_a_near_duplicate_is_rejected_and_its_original_kept(
    detector: Detector, five: list[Picture], seen: list[Examination]
) -> None:
    for row, picture in enumerate(five):
        both = selections([*seen, examine(made.near_duplicate(picture), detector, 1024)])
        kept = [kept for kept, _ in both]
        assert kept.count(False) == 1 and not (kept[row] and kept[5])
        assert "near-duplicate of" in both[row][1] + both[5][1]


def test_a_busy_background_and_a_low_resolution_are_rejected(
    detector: Detector, five: list[Picture], observed: list[Observation]
) -> None:
    region = observed[0].region
    assert region is not None
    assert "background" in reasons(detector, made.busy(five[0], region))
    assert reasons(detector, five[0][::4, ::4])["side"] == "low resolution (256 < 1024)"


def test_pictures_without_people_have_none(detector: Detector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    for picture in (noise, np.zeros((20, 1024, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)):
        assert detector.detect(picture).persons == 0


def test_hidden_hands_are_not_a_reason(detector: Detector, five: list[Picture]) -> None:
    upper = five[0][:600]
    assert detector.detect(upper).persons == 1
    assert "hands" not in reasons(detector, upper)


def test_the_same_picture_gives_the_same_measurements(
    detector: Detector, five: list[Picture], seen: list[Examination]
) -> None:
    again = examine(five[3], make_detector("photographs", detector_params(NETWORKS)), 1024)
    assert again.metrics == seen[3].metrics and examine(five[3], detector, 1024).metrics == seen[3].metrics
