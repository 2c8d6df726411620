from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from anomend.pictures.sheet import fitted, make_sheet, paste_in_rows


def plain(width: int, height: int, grey: int = 100) -> Image.Image:
    return Image.new("RGB", (width, height), (grey, grey, grey))


def test_pictures_fill_the_rows_from_left_to_right() -> None:
    pictures = [plain(10, 10, grey) for grey in (10, 20, 30)]
    sheet, corners = make_sheet(pictures, columns=2, side=10, margin=1, below=5, background="white")
    # Two squares of 10 with a margin of 1, and 5 below each.
    assert sheet.size == (24, 34)
    assert corners == [(1, 1), (13, 1), (1, 18)]
    assert [sheet.getpixel(corner) for corner in corners] == [(10,) * 3, (20,) * 3, (30,) * 3]
    assert sheet.getpixel((13, 18)) == (255, 255, 255)


def test_few_pictures_make_a_narrow_sheet() -> None:
    sheet, _ = make_sheet([plain(4, 4)], columns=8, side=4, background="black")
    assert sheet.size == (4, 4)


def test_a_small_picture_is_in_the_middle_of_its_square() -> None:
    sheet = plain(20, 20, 0)
    corners = paste_in_rows(sheet, [plain(4, 2)], columns=1, side=10, start=(5, 5), gaps=(0, 0))
    rows, columns = np.nonzero(np.asarray(sheet)[:, :, 0])
    assert corners == [(5, 5)]
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (8, 11, 9, 10)


@pytest.mark.parametrize(
    "size, expected", [((64, 32), (192, 96)), ((192, 10), (192, 10)), ((100, 50), (100, 50)), ((384, 200), (192, 100))]
)
def test_pictures_are_fitted_into_a_square(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert fitted(plain(*size), 192).size == expected


def test_enlarging_repeats_pixels() -> None:
    noise = np.random.default_rng(0).integers(256, size=(3, 5, 3), dtype=np.uint8)
    shown = np.asarray(fitted(Image.fromarray(noise), 16))
    np.testing.assert_array_equal(shown, noise.repeat(3, axis=0).repeat(3, axis=1))
