"""Limbs are counted by their ends, on shapes drawn by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.measure import label

from anomend.miniature.limbs import LimbKind, count_limbs

Line = tuple[tuple[int, int], ...]
TORSO = np.zeros((64, 64), bool)
TORSO[10:22, 24:40] = True
NEAR_TORSO = np.zeros((64, 64), bool)
NEAR_TORSO[7:25, 21:43] = True
TORSO_AREA = 192
KIND = LimbKind(area=0.65, spare=9.0, span=1.1)
"""The straight limb below is 25 long and 5 wide."""


def shape(*lines: Line) -> NDArray[np.bool_]:
    image = Image.new("1", (64, 64))
    draw = ImageDraw.Draw(image)
    for line in lines:
        draw.line(line, fill=1, width=5, joint="curve")
        for x, y in line:
            draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=1)
    return np.asarray(image) & ~TORSO


def count_and_sides(mask: NDArray[np.bool_], turns: int = 0, spare: float = KIND.spare) -> tuple[int, int]:
    labelled = np.rot90(label(mask, connectivity=2), turns)
    return count_limbs(
        [labelled == number for number in range(1, labelled.max() + 1)],
        replace(KIND, spare=spare),
        core=np.rot90(mask, turns),
        torso=np.rot90(NEAR_TORSO, turns),
        torso_area=TORSO_AREA,
    )


@pytest.mark.parametrize(
    ("lines", "limbs"),
    [
        ([], 0),
        ([((32, 20), (32, 46))], 1),
        ([((26, 20), (22, 46)), ((38, 20), (42, 46))], 2),
        # Bent, as a sitting person's leg is.
        ([((34, 20), (50, 26), (50, 46))], 1),
        ([((26, 20), (10, 26), (10, 46))], 1),
        # Fused at the root, for a half of their length, and at the knee.
        ([((32, 20), (20, 44)), ((32, 20), (44, 44))], 2),
        ([((32, 20), (32, 34), (24, 46)), ((32, 20), (32, 34), (40, 46))], 2),
        ([((32, 20), (18, 36)), ((32, 20), (32, 46)), ((32, 20), (46, 36))], 3),
        ([((32, 20), (32, 32), (20, 40)), ((32, 32), (46, 36))], 2),
        # Apart from the torso it is one limb, whatever its shape.
        ([((32, 34), (20, 50)), ((32, 34), (44, 50))], 1),
    ],
)
def test_a_limb_is_an_end(lines: list[Line], limbs: int) -> None:
    assert count_and_sides(shape(*lines))[0] == limbs


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_fused_limbs_come_from_one_side_in_any_direction(turns: int) -> None:
    assert count_and_sides(shape(((32, 20), (20, 44)), ((32, 20), (44, 44))), turns) == (2, 1)
    apart = shape(((26, 20), (22, 46)), ((38, 20), (42, 46)))
    assert count_and_sides(apart, turns) == (2, 2)
    apart[22:26, 24:40] = True  # Both legs touch below the torso.
    assert count_and_sides(apart, turns) == (2, 2)
    one_side = shape(((26, 20), (14, 40)), ((30, 20), (30, 44)))
    assert count_and_sides(one_side, turns) == (2, 1)
    assert count_and_sides(shape(((32, 20), (32, 46)), ((50, 40), (50, 56))), turns) == (2, 2)


def test_a_bump_of_a_pixel_is_a_limb_only_with_the_area_of_one() -> None:
    # Two limbs side by side down to a notch of a pixel between their ends.
    mask = np.zeros((64, 64), bool)
    mask[22:46, 27:38] = True
    mask[45, 32] = False
    assert count_and_sides(mask)[0] == 1
    assert count_and_sides(mask, spare=0.5)[0] == 2
    narrow = np.zeros((64, 64), bool)
    narrow[22:46, 30:35] = True
    narrow[45, 32] = False
    assert count_and_sides(narrow, spare=0.5)[0] == 1


def test_a_blurred_gap_between_two_limbs_is_not_walked_on() -> None:
    two = shape(((26, 20), (22, 46)), ((38, 20), (42, 46)))
    blurred = two.copy()
    blurred[22:49, 20:45] = True
    for core, limbs in ((two, 2), (blurred, 1)):
        found, _ = count_limbs([blurred], KIND, core=core, torso=NEAR_TORSO, torso_area=TORSO_AREA)
        assert found == limbs
