"""Photographs: the five published images are kept, and what must not teach the model is rejected for its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from anomend.curating.criteria import Reasons, reasons_against
from anomend.curating.detectors import DETECTORS, DetectorSettings, Look
from anomend.curating.selection import Candidate, Seen, decide, look_at
from tests.curating import photographs as made
from tests.curating.photographs import NETWORKS, Picture, needs_networks, needs_paper, published

pytestmark = [needs_networks, needs_paper]
CRITERIA = DETECTORS["photographs"].criteria.overlaid({"min_side": 1024})


@pytest.fixture(scope="module")
def look() -> Look:
    return DETECTORS["photographs"].make(DetectorSettings(NETWORKS))


@pytest.fixture(scope="module")
def five() -> list[Picture]:
    return published()


@pytest.fixture(scope="module")
def seen(look: Look, five: list[Picture]) -> list[Seen]:
    return [look_at(picture, look) for picture in five]


def verdicts(seen: list[Seen]) -> list[tuple[bool, str]]:
    """Kept or not, and why, of pictures that were collected together."""
    candidates = [
        Candidate(Path(f"{row}.png"), f"{row:064x}", "folder", "photographs", None) for row in range(len(seen))
    ]
    return [(verdict.kept, verdict.text) for verdict in decide(candidates, seen, {"photographs": CRITERIA}, [])]


def reasons(look: Look, picture: Picture) -> Reasons:
    return reasons_against(look_at(picture, look).figures, CRITERIA)


def test_all_five_published_images_are_kept(seen: list[Seen]) -> None:
    assert verdicts(seen) == [(True, "")] * 5
    for one in seen:
        assert one.figures.persons == 1 and (one.figures.area or 0) > 0.4 and one.cut == (0, 0, 1024)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tuned", "base"])
def test_one_person_is_counted_on_every_sample_of_the_paper(look: Look, name: str) -> None:
    # Ten each, all of one person, though the base's have limbs too many or too few.
    assert [look(picture).persons for picture in published(name)] == [1] * 10


MAKERS: dict[str, Callable[[Picture, Picture], Picture]] = {
    "side by side": made.side_by_side,
    "squeezed": made.squeezed,
    "in the corner": made.second_in_the_corner,
    "grid of four": lambda first, second: made.grid([first, second], 2),
    "grid of nine": lambda first, second: made.grid([first, second], 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("row", range(5))
def test_several_people_are_rejected(look: Look, five: list[Picture], maker: str, row: int) -> None:
    found = reasons(look, MAKERS[maker](five[row], five[(row + 2) % 5]))
    assert found["persons"].endswith("people")


def test_a_grid_of_four_is_four_and_of_nine_nine(look: Look, five: list[Picture]) -> None:
    assert look(made.grid(five, 2)).persons == 4
    assert look(made.grid(five, 3)).persons == 9


@pytest.mark.parametrize("row", range(5))
def test_a_tiny_person_nobody_and_a_blurred_one_are_rejected(look: Look, five: list[Picture], row: int) -> None:
    assert reasons(look, made.tiny(five[row]))["area"].startswith("small person")
    assert reasons(look, made.nobody(five[row]))["persons"] == "nobody"
    assert set(reasons(look, made.blurred(five[row]))) == {"sharpness"}
    assert set(reasons(look, made.upscaled(five[row]))) == {"sharpness"}


def test_a_near_duplicate_is_rejected_and_its_original_kept(look: Look, five: list[Picture], seen: list[Seen]) -> None:
    for row, picture in enumerate(five):
        found = verdicts([*seen, look_at(made.near_duplicate(picture), look)])
        kept = [kept for kept, _ in found]
        assert kept.count(False) == 1 and not (kept[row] and kept[5])
        assert "near-duplicate of" in found[row][1] + found[5][1]


def test_a_busy_background_and_a_low_resolution_are_rejected(look: Look, five: list[Picture]) -> None:
    region = look(five[0]).region
    assert region is not None
    assert "background" in reasons(look, made.busy(five[0], region))
    assert reasons(look, five[0][::4, ::4])["side"] == "low resolution (256 < 1024)"


def test_what_is_no_picture_of_anybody_has_nobody(look: Look) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    for picture in (noise, np.zeros((20, 1024, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)):
        assert look(picture).persons == 0


def test_hidden_hands_are_no_fault_and_smeared_ones_are(look: Look, five: list[Picture]) -> None:
    upper = five[0][:600]
    assert look(upper).persons == 1
    assert "hands" not in reasons(look, upper)


def test_the_same_picture_gives_the_same_figures(look: Look, five: list[Picture], seen: list[Seen]) -> None:
    again = look_at(five[3], DETECTORS["photographs"].make(DetectorSettings(NETWORKS)))
    assert again.figures == seen[3].figures and look_at(five[3], look).figures == seen[3].figures
