import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import peak_signal_noise_ratio as peak_signal_noise_ratio_of_torchmetrics

from anomend.measuring.psnr import psnr_matrix, psnr_within, published_psnr_matrix, published_psnr_within
from tests.measuring.pictures import NO_IMAGES


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


@pytest.mark.parametrize("values", [7, 500, 10**6])
def test_chunks_do_not_change_the_value(monkeypatch: pytest.MonkeyPatch, values: int) -> None:
    pictures = images(4)
    whole, published = psnr_matrix(pictures), published_psnr_matrix(pictures)
    monkeypatch.setattr("anomend.measuring.psnr._BATCH_VALUES", values)
    assert np.array_equal(psnr_matrix(pictures), whole)
    assert np.array_equal(published_psnr_matrix(pictures), published)


def test_published_form_is_the_papers_own_arithmetic() -> None:
    pictures = images(4)
    matrix = published_psnr_matrix(pictures)
    for i in range(4):
        for j in range(i):
            with np.errstate(over="ignore"):
                squares = (pictures[i] - pictures[j]) ** 2
            assert squares.dtype == np.uint8
            expected = 10 * math.log10(255**2 / (sum(int(value) for value in squares.flat) / (12 * 10)))
            assert matrix[i, j] == matrix[j, i] == pytest.approx(expected, abs=1e-12)


def test_agrees_with_torchmetrics() -> None:
    first, second = images(2)
    expected = peak_signal_noise_ratio_of_torchmetrics(
        torch.from_numpy(first.astype(np.float64)), torch.from_numpy(second.astype(np.float64)), data_range=255.0
    )
    assert psnr_matrix([first, second])[0, 1] == pytest.approx(float(expected), abs=1e-6)


def test_constant_images() -> None:
    black, white = np.zeros((4, 5, 3), np.uint8), np.full((4, 5, 3), 255, np.uint8)
    assert psnr_within([black, white]) == 0  # The error is as large as the peak.
    # 0 - 255 wraps to 1: the published error of black and white is 3 levels in all.
    assert published_psnr_within([black, white]) == pytest.approx(10 * math.log10(255**2 / 3))
    assert published_psnr_within([black, black]) == math.inf


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


def test_no_image_and_one_have_no_mean_and_bad_input_is_named() -> None:
    for n in (0, 1):
        assert psnr_within(images(n)) is None
        assert published_psnr_within(images(n)) is None
    with pytest.raises(ValueError, match="no image"):
        psnr_matrix([])
    with pytest.raises(ValueError, match="no image"):
        published_psnr_matrix([])
    with pytest.raises(ValueError, match="one shape"):
        psnr_matrix([np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3, 3), np.uint8)])
    with pytest.raises(ValueError, match="RGB"):
        published_psnr_matrix([np.zeros((2, 2), np.uint8)] * 2)


@pytest.mark.parametrize("picture", NO_IMAGES)
def test_what_is_no_8_bit_image_is_named(picture: np.ndarray) -> None:
    for measure in (psnr_matrix, psnr_within, published_psnr_matrix, published_psnr_within):
        with pytest.raises(ValueError, match="convert it to 8-bit RGB first"):
            measure([picture] * 2)


def test_grey_images_have_a_corrected_psnr() -> None:
    first, second = (picture[:, :, 0] for picture in images(2))
    expected = peak_signal_noise_ratio(first, second, data_range=255)
    assert psnr_within([first, second]) == pytest.approx(expected, abs=1e-12)
