import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from anomend.measuring.ssim import grey, ssim_cross, ssim_matrix, ssim_within
from tests.measuring.pictures import NO_IMAGES


def images(n: int, size: tuple[int, int] = (40, 33), seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    smooth = rng.integers(0, 256, (n, size[0] // 4 + 1, size[1] // 4 + 1, 3), dtype=np.uint8)
    return [np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC)) for image in smooth]


def reference(first: np.ndarray, second: np.ndarray) -> float:
    pair = [np.asarray(Image.fromarray(image).convert("L")) for image in (first, second)]
    return float(structural_similarity(*pair, data_range=255))


def test_agrees_with_scikit_image() -> None:
    pictures = images(4)
    matrix = ssim_matrix(pictures)
    assert np.array_equal(matrix, matrix.T)
    assert np.all(np.diag(matrix) == 1)
    for i in range(4):
        for j in range(i):
            assert matrix[i, j] == pytest.approx(reference(pictures[i], pictures[j]), abs=1e-12)


def test_flat_images_and_extremes() -> None:
    black, white = np.zeros((8, 9, 3), np.uint8), np.full((8, 9, 3), 255, np.uint8)
    assert ssim_matrix([black, white])[0, 1] == pytest.approx(reference(black, white), abs=1e-12)
    assert ssim_matrix([black, black])[0, 1] == ssim_matrix([white, white])[0, 1] == 1
    # The largest sums, squares and products that unsigned bytes can make.
    board = np.kron(np.indices((5, 5)).sum(axis=0) % 2, np.ones((4, 4))).astype(np.uint8) * 255
    pictures = [board, 255 - board, np.full_like(board, 255)]
    assert ssim_matrix(pictures)[0, 1:] == pytest.approx([reference(board, p) for p in pictures[1:]], abs=1e-12)


@pytest.mark.parametrize("pixels", [1, 300, 3000, 10**6])
def test_bands_and_batches_do_not_change_the_value(monkeypatch: pytest.MonkeyPatch, pixels: int) -> None:
    # One row of windows a band; several bands; two images together; all of them.
    monkeypatch.setattr("anomend.measuring.ssim._BAND_PIXELS", pixels)
    pictures = images(5)
    expected = [[reference(one, two) for two in pictures] for one in pictures]
    assert np.allclose(ssim_matrix(pictures), expected, atol=1e-12)
    assert np.allclose(ssim_cross(pictures[:2], pictures[2:]), np.array(expected)[:2, 2:], atol=1e-12)


def test_identical_images_are_one() -> None:
    picture = images(1)[0]
    assert ssim_within([picture] * 3) == ssim_cross([picture], [picture])[0, 0] == 1


def test_agrees_with_torchmetrics_but_for_its_population_variance() -> None:
    first, second = (grey(image) for image in images(2))
    _, maps = structural_similarity_index_measure(
        *(torch.from_numpy(image.astype(np.float64))[None, None] for image in (first, second)),
        gaussian_kernel=False,
        kernel_size=7,
        data_range=255.0,
        return_full_image=True,
    )
    # It divides by 49 where scikit-image and this project divide by 48; the windows beyond the borders are cut here.
    assert ssim_matrix([first, second])[0, 1] == pytest.approx(float(maps[..., 3:-3, 3:-3].mean()), abs=0.001)


def test_cross_form_pairs_every_image_with_every_other() -> None:
    first, second = images(3), images(2, seed=1)
    matrix = ssim_cross(first, second)
    assert matrix.shape == (3, 2)
    assert matrix[2, 1] == pytest.approx(reference(first[2], second[1]), abs=1e-12)
    assert ssim_cross(first, first)[0, 1] == pytest.approx(ssim_matrix(first)[0, 1])


def test_within_mean_counts_each_pair_once() -> None:
    pictures = images(3)
    pairs = [reference(pictures[i], pictures[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert ssim_within(pictures) == pytest.approx(np.mean(pairs))
    assert ssim_within(pictures[:1]) is None


def test_grey_is_pillows_and_takes_grey_images() -> None:
    picture = images(1)[0]
    assert np.array_equal(grey(picture), np.asarray(Image.fromarray(picture).convert("L")))
    assert np.array_equal(grey(grey(picture)), grey(picture))


def test_no_image_and_one() -> None:
    assert ssim_within([]) is None
    assert np.array_equal(ssim_matrix(images(1)), [[1.0]])
    with pytest.raises(ValueError, match="got none"):
        ssim_matrix([])
    with pytest.raises(ValueError, match="got none"):
        ssim_cross(images(1), [])


def test_bad_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="one size"):
        ssim_matrix([np.zeros((8, 8, 3), np.uint8), np.zeros((9, 8, 3), np.uint8)])
    with pytest.raises(ValueError, match="at least 7"):
        ssim_matrix([np.zeros((6, 8, 3), np.uint8)] * 2)
    with pytest.raises(ValueError, match="one size"):
        ssim_cross([np.zeros((8, 8, 3), np.uint8)], [np.zeros((9, 8, 3), np.uint8)])


@pytest.mark.parametrize("picture", NO_IMAGES)
def test_what_is_no_8_bit_image_is_named(picture: np.ndarray) -> None:
    good = np.zeros((8, 8, 3), np.uint8)
    for call in (lambda: ssim_matrix([good, picture]), lambda: ssim_within([picture] * 2), lambda: grey(picture)):
        with pytest.raises(ValueError, match="convert it to 8-bit RGB first"):
            call()
