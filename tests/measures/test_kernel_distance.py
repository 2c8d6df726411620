from itertools import combinations, product

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from stages.measures.kernel_distance import (
    compare_kernel_distance,
    distance_matrix,
    kernel_distance,
    kernel_distance_test,
)
from stages.measures.statistics import within_set_mean


def features(n: int, shift: float = 0.0, seed: int = 0, d: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def test_agrees_with_torchmetrics_for_sets_of_one_size() -> None:
    first, second = features(12), features(12, 0.7, seed=1)
    expected = float(poly_mmd(torch.tensor(first), torch.tensor(second)))
    assert kernel_distance(first, second) == pytest.approx(expected, abs=1e-12)


def test_is_unbiased() -> None:
    values = [kernel_distance(features(6, seed=s), features(9, seed=1000 + s)) for s in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20


def test_exact_p_counts_every_split() -> None:
    first, second = features(3), features(4, 1.0, seed=1)
    pooled = np.concatenate([first, second])
    observed = kernel_distance(first, second)
    values = []
    for chosen in combinations(range(7), 3):
        rest = [i for i in range(7) if i not in chosen]
        values.append(kernel_distance(pooled[list(chosen)], pooled[rest]))
    result = kernel_distance_test(first, second, seed=0)
    assert result.value == observed
    assert result.p == pytest.approx(np.mean(np.array(values) >= observed - 1e-12))
    assert "exact" in result.method


def test_drawn_p_is_near_the_exact_one_and_never_zero() -> None:
    far = kernel_distance_test(features(30), features(30, 3.0, seed=1), seed=0, permutations=500)
    assert far.p == pytest.approx(1 / 501)
    same = kernel_distance_test(features(15), features(15, seed=1), seed=0, permutations=500)
    assert same.p > 0.05


def test_distance_matrix_turns_the_distance_into_a_within_set_mean() -> None:
    images, reference = features(8), features(4, 0.5, seed=3)
    matrix = distance_matrix(images, reference)
    assert within_set_mean(matrix) == pytest.approx(kernel_distance(images, reference))
    assert within_set_mean(matrix[:5, :5]) == pytest.approx(kernel_distance(images[:5], reference))


def test_comparison_agrees_with_swapping_pairs_by_hand() -> None:
    base, tuned, reference = features(6), features(6, 0.4, seed=1), features(4, 0.8, seed=2)
    effect = compare_kernel_distance(base, tuned, reference, ["a"] * 3 + ["b"] * 3, seed=0, resamples=200)
    assert effect.base == pytest.approx(kernel_distance(base, reference))
    assert effect.tuned == pytest.approx(kernel_distance(tuned, reference))
    deltas = []
    for swap in product([False, True], repeat=6):
        mask = np.array(swap)[:, None]
        first, second = np.where(mask, tuned, base), np.where(mask, base, tuned)
        deltas.append(kernel_distance(second, reference) - kernel_distance(first, reference))
    assert effect.delta is not None
    assert effect.p == pytest.approx(np.mean(np.abs(deltas) >= abs(effect.delta) - 1e-12))
    assert effect.ci_low is not None and effect.ci_high is not None and effect.ci_low < effect.delta < effect.ci_high


def test_too_few_pairs_give_no_figure_and_bad_sets_are_named() -> None:
    effect = compare_kernel_distance(features(5), features(5, seed=1), features(4), ["a"] * 5, seed=0)
    assert effect.p is None and effect.ci_low is None and effect.reason
    with pytest.raises(ValueError, match="two images"):
        kernel_distance(features(1), features(3))
    with pytest.raises(ValueError, match="one dimension"):
        kernel_distance(features(3), features(3, d=4))
