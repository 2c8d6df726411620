import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from stages.measures.psnr import psnr_matrix, psnr_within, published_psnr_matrix, published_psnr_within


def images(n: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (n, 12, 10, 3), dtype=np.uint8))


def test_corrected_form_agrees_with_scikit_image() -> None:
    pictures = images(4)
    matrix = psnr_matrix(pictures)
    for i in range(4):
        for j in range(i):
            expected = peak_signal_noise_ratio(pictures[i], pictures[j], data_range=255)
            assert matrix[i, j] == matrix[j, i] == pytest.approx(expected, abs=1e-12)


def test_identical_images_get_the_ratio_of_one_level() -> None:
    picture = images(1)[0]
    other = picture.copy()
    other[0, 0, 0] ^= 1
    assert psnr_matrix([picture, picture])[0, 1] == psnr_matrix([picture, other])[0, 1]
    assert math.isfinite(psnr_within([picture] * 3) or math.inf)


def test_chunks_do_not_change_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = psnr_matrix(images(3))
    monkeypatch.setattr("stages.measures.psnr._BATCH_VALUES", 7)
    assert np.array_equal(psnr_matrix(images(3)), whole)


def test_published_form_wraps_twice_and_sums_channels() -> None:
    # One pixel: 3 - 5 = -2 -> 254, squared 64516 -> 4; 20 squared 400 -> 144; 16 squared 256 -> 0. The sum is 148.
    first, second = np.array([[[3, 20, 16]]], np.uint8), np.array([[[5, 0, 0]]], np.uint8)
    expected = 10 * math.log10(255**2 / 148)
    assert published_psnr_matrix([first, second])[0, 1] == pytest.approx(expected)
    assert published_psnr_within([first, second]) == pytest.approx(expected)


def test_forms_agree_where_nothing_wraps_but_for_the_channels() -> None:
    first = np.full((4, 4, 3), 100, np.uint8)
    second = first + np.uint8(3)
    corrected, published = psnr_matrix([first, second])[0, 1], published_psnr_matrix([second, first])[0, 1]
    assert corrected - published == pytest.approx(10 * math.log10(3))


def test_one_image_has_no_mean_and_bad_input_is_named() -> None:
    assert psnr_within(images(1)) is None
    assert published_psnr_within(images(1)) is None
    with pytest.raises(ValueError, match="one shape"):
        psnr_matrix([np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3, 3), np.uint8)])
    with pytest.raises(ValueError, match="uint8"):
        psnr_matrix([np.zeros((2, 2, 3))] * 2)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="RGB"):
        published_psnr_matrix([np.zeros((2, 2), np.uint8)] * 2)
