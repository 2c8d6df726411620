"""Measurements of a picture by itself, on pictures made so that the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from anomend.curating.framing import framed, share_inside, square
from anomend.curating.picture_metrics import (
    background_complexity,
    hash_distance,
    perceptual_hashes,
    sharpness,
)
from anomend.project.seeding import numpy_generator
from tests.collecting.pictures import drawing


def scene(seed: int, side: int = 256) -> np.ndarray:
    """Smooth random colours, a picture like no other."""
    coarse = numpy_generator("scene", seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def middle(side: int = 256) -> np.ndarray:
    region = np.zeros((side, side), bool)
    region[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4] = True
    return region


def test_a_blur_takes_sharpness_and_more_blur_takes_more() -> None:
    image = np.asarray(Image.fromarray(drawing()).resize((512, 512), Image.Resampling.NEAREST))
    blurred = [np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius))) for radius in (2, 6)]
    values = [sharpness(version, None) for version in (image, *blurred)]
    assert values == sorted(values, reverse=True) and values[0] > 0.5 > values[-1]


def test_sharpness_is_the_persons_and_not_the_backgrounds() -> None:
    image = scene(0).copy()
    noise = numpy_generator("noise").integers(0, 256, (128, 128, 3), dtype=np.uint8)
    image[64:192, 64:192] = noise
    assert sharpness(image, middle()) > 0.6 > 0.2 > sharpness(image, np.arange(256) < np.full((256, 1), 60))


def test_one_colour_has_no_sharpness_and_no_background_to_speak_of() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    assert sharpness(grey, None) == 0 and background_complexity(grey, None) == 0
    assert background_complexity(grey, np.ones((64, 64), bool)) is None


def test_a_checkerboard_behind_the_person_is_busy_and_one_on_the_person_is_not() -> None:
    board = np.kron(np.indices((16, 16)).sum(axis=0) % 2, np.ones((16, 16)))[..., None].repeat(3, axis=2)
    board, region = (board * 255).astype(np.uint8), middle()
    plain = np.full_like(board, 128)
    behind, on = np.where(region[..., None], plain, board), np.where(region[..., None], board, plain)
    assert (background_complexity(behind, region) or 0) > 0.5
    assert background_complexity(on, region) == 0


@pytest.mark.parametrize("change", ["scaled", "mirrored", "blurred", "lighter", "other"])
def test_changes_that_leave_the_picture_recognisable_leave_its_hash(change: str) -> None:
    image = Image.fromarray(scene(0))
    changed = {
        "scaled": lambda: image.resize((180, 180), Image.Resampling.LANCZOS),
        "mirrored": lambda: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "blurred": lambda: image.filter(ImageFilter.GaussianBlur(3)),
        "lighter": lambda: Image.fromarray((scene(0) * 0.8 + 40).astype(np.uint8)),
        "other": lambda: Image.fromarray(scene(1)),
    }[change]()
    bits = hash_distance(perceptual_hashes(np.asarray(image)), perceptual_hashes(np.asarray(changed)))
    assert bits > 18 if change == "other" else bits <= 4


def test_the_square_follows_the_person_and_stays_in_the_picture() -> None:
    region = np.zeros((100, 300), bool)
    assert square(100, 300, region | (np.arange(300) >= 250)) == (200, 0, 100)
    assert square(100, 300, region | ((np.arange(300) >= 110) & (np.arange(300) < 170))) == (90, 0, 100)
    assert square(100, 300, None) == (100, 0, 100)
    assert square(300, 100, None) == (0, 100, 100)


def test_someone_who_lies_across_a_wide_picture_is_cut() -> None:
    region = np.zeros((100, 300), bool)
    region[40:60, 50:250] = True
    assert share_inside(region) == pytest.approx(0.5)
    assert share_inside(middle()) == 1


def test_a_square_of_the_right_size_keeps_its_pixels_and_others_are_scaled() -> None:
    image = drawing()
    assert np.array_equal(framed(image, (0, 0, 64), 64), image)
    wide = np.concatenate([np.zeros_like(image), image], axis=1)
    assert np.array_equal(framed(wide, (64, 0, 64), 64), image)
    assert framed(wide, (64, 0, 64), 32).shape == (32, 32, 3)
