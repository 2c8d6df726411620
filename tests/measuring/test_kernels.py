"""Kernels against loops by hand, torchmetrics and scipy; blocks change nothing."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_kernel

from anomend.measuring import kernels
from anomend.measuring.kernels import (
    gaussian_kernel,
    kernel_sum,
    polynomial_kernel,
    split_sums,
    within_kernel_sum,
)


def features(n: int, shift: float = 0.0, seed: int = 0, d: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def by_hand(one: np.ndarray, two: np.ndarray, bandwidth: float) -> np.ndarray:
    return np.array([[math.exp(-(math.dist(x, y) ** 2) / (2 * bandwidth**2)) for y in two] for x in one])


def test_polynomial_kernel_is_torchmetrics() -> None:
    one, two = features(7), features(4, seed=1)
    expected = poly_kernel(torch.from_numpy(one), torch.from_numpy(two), degree=3, gamma=None, coef=1.0).numpy()
    assert np.allclose(polynomial_kernel(one, two), expected, rtol=1e-13)


def test_gaussian_kernel_is_that_of_a_loop() -> None:
    one, two = features(7), features(4, 0.5, seed=1)
    assert np.allclose(gaussian_kernel(1.7)(one, two), by_hand(one, two, 1.7), rtol=1e-12)
    # Far from the origin the squares cancel; no distance may turn negative.
    assert gaussian_kernel(1.7)(one + 1e6, one + 1e6).max() <= 1


@pytest.mark.parametrize("block", [1, 5, 1000])
@pytest.mark.parametrize("kernel", [polynomial_kernel, gaussian_kernel(2.0)])
def test_sums_in_blocks_are_those_of_the_whole_matrix(
    monkeypatch: pytest.MonkeyPatch, block: int, kernel: kernels.Kernel
) -> None:
    one, two = features(11), features(6, seed=1)
    whole, own = kernel(one, two), kernel(one, one)
    monkeypatch.setattr(kernels, "_BLOCK", block)
    monkeypatch.setattr(kernels, "_BLOCK_VALUES", block * len(one))
    assert kernel_sum(one, two, kernel) == pytest.approx(whole.sum(), rel=1e-12)
    assert within_kernel_sum(one, kernel) == pytest.approx(own.sum() - np.trace(own), rel=1e-12)
    masks = np.random.default_rng(0).random((9, 11)) < 0.5
    within, across, total = split_sums(one, masks, kernel)
    np.fill_diagonal(own, 0)
    assert total == pytest.approx(own.sum(), rel=1e-12)
    for mask, inside, between in zip(masks, within, across, strict=True):
        assert inside == pytest.approx(own[np.ix_(mask, mask)].sum(), rel=1e-12)
        assert between == pytest.approx(own[np.ix_(mask, ~mask)].sum(), rel=1e-12)


def test_what_has_no_kernel_is_named() -> None:
    for kernel in (polynomial_kernel, gaussian_kernel(1.0)):
        for wrong in (math.nan, math.inf):
            with pytest.raises(ValueError, match="NaN or infinite"):
                kernel(features(3), np.full((2, 5), wrong))
        with pytest.raises(ValueError, match="one dimension"):
            kernel(features(3), features(3, d=4))
        with pytest.raises(ValueError, match="shape"):
            kernel(np.empty((2, 0)), np.empty((2, 0)))
    for bandwidth in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="bandwidth above 0"):
            gaussian_kernel(bandwidth)
