import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from stages.measures.ssim import grey, ssim_cross, ssim_matrix, ssim_within


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


def test_flat_images_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    black, white = np.zeros((8, 9, 3), np.uint8), np.full((8, 9, 3), 255, np.uint8)
    assert ssim_matrix([black, white])[0, 1] == pytest.approx(reference(black, white), abs=1e-12)
    assert ssim_matrix([black, black])[0, 1] == pytest.approx(1)
    whole = ssim_matrix(images(5))
    monkeypatch.setattr("stages.measures.ssim._BATCH_PIXELS", 1)
    assert np.allclose(ssim_matrix(images(5)), whole, atol=1e-14)


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


def test_bad_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="one size"):
        ssim_matrix([np.zeros((8, 8, 3), np.uint8), np.zeros((9, 8, 3), np.uint8)])
    with pytest.raises(ValueError, match="at least 7"):
        ssim_matrix([np.zeros((6, 8, 3), np.uint8)] * 2)
    with pytest.raises(ValueError, match="one size"):
        ssim_cross([np.zeros((8, 8, 3), np.uint8)], [np.zeros((9, 8, 3), np.uint8)])
