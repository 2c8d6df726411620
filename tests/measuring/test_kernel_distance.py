import math
from functools import partial
from itertools import combinations, permutations, product

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import KernelInceptionDistance, poly_mmd

from anomend.measuring.kernel_distance import (
    compare_kernel_distance,
    distance_matrix,
    kernel_distance,
    kernel_distance_test,
)
from anomend.measuring.kernels import gaussian_kernel, polynomial_kernel
from anomend.statistics.within_set import within_set_mean


def features(n: int, shift: float = 0.0, seed: int = 0, d: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def test_agrees_with_torchmetrics_for_sets_of_one_size() -> None:
    first, second = features(12), features(12, 0.7, seed=1)
    expected = float(poly_mmd(torch.tensor(first), torch.tensor(second)))
    assert kernel_distance(first, second) == pytest.approx(expected, abs=1e-12)


def test_kid_of_torchmetrics_is_the_mean_over_its_subsets() -> None:
    """With subsets of the size of the sets, the KID of torchmetrics is this distance on its features in float32."""
    first, second = features(20, d=64).astype(np.float32), features(20, 0.3, seed=1, d=64).astype(np.float32)
    metric = KernelInceptionDistance(feature=torch.nn.Flatten(), subsets=2, subset_size=20)
    metric.update(torch.from_numpy(first)[:, :, None, None], real=True)
    metric.update(torch.from_numpy(second)[:, :, None, None], real=False)
    mean, _ = metric.compute()
    assert kernel_distance(first, second) == pytest.approx(float(mean), rel=1e-4)


def test_gaussian_distance_is_that_of_loops() -> None:
    first, second, bandwidth = features(6), features(4, 0.7, seed=1), 1.3

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return math.exp(-(math.dist(x, y) ** 2) / (2 * bandwidth**2))

    own = sum(k(x, y) for x, y in permutations(first, 2)) / 30 + sum(k(x, y) for x, y in permutations(second, 2)) / 12
    expected = own - 2 * sum(k(x, y) for x, y in product(first, second)) / 24
    kernel = gaussian_kernel(bandwidth)
    assert kernel_distance(first, second, kernel) == pytest.approx(expected, rel=1e-10)
    assert kernel_distance_test(first, second, kernel=kernel, seed=0).value == pytest.approx(expected, rel=1e-10)


def test_a_set_with_itself_is_below_zero_by_what_meets_itself() -> None:
    values = features(5)
    kernel = (values @ values.T / 5 + 1) ** 3
    expected = 2 * (kernel.sum() - np.trace(kernel)) / 20 - 2 * kernel.sum() / 25
    assert kernel_distance(values, values) == pytest.approx(expected, rel=1e-12)
    assert kernel_distance(values, values) < 0
    assert kernel_distance_test(values, values, seed=0).p > 0.5


def test_constant_features_are_no_distance_apart_and_do_not_differ() -> None:
    for kernel in (polynomial_kernel, gaussian_kernel(1.0)):
        result = kernel_distance_test(np.ones((4, 3)), np.ones((5, 3)), kernel=kernel, seed=0)
        assert (result.value, result.p) == (pytest.approx(0, abs=1e-12), 1)
    # Two black images per set also have a distance.
    assert kernel_distance(np.zeros((2, 3)), np.zeros((2, 3))) == 0


def test_gaussian_p_is_uniform_without_a_difference_and_small_with_one() -> None:
    """Of 60 pairs of sets of one distribution a fifth has p <= .2; a shift by one standard deviation is seen."""
    p = [
        kernel_distance_test(
            features(8, seed=2 * s), features(8, seed=2 * s + 1), kernel=gaussian_kernel(3.0), seed=s
        ).p
        for s in range(60)
    ]
    assert abs(np.mean(np.array(p) <= 0.2) - 0.2) < 4 * math.sqrt(0.2 * 0.8 / 60)
    assert kernel_distance_test(features(8), features(8, 1.0, seed=1), kernel=gaussian_kernel(3.0), seed=0).p < 0.01


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
    assert result.value == pytest.approx(observed, rel=1e-12)
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
    effect = compare_kernel_distance(
        base, tuned, reference=reference, prompts=["a"] * 3 + ["b"] * 3, seed=0, resamples=200
    )
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


def test_interval_covers_with_few_pairs() -> None:
    """Four seeds of each of two prompts, in one dimension, where the moments of a normal tell the true change.

    E (x y + 1)^3 over independent x, y is m3^2 + 3 m2^2 + 3 m1^2 + 1, with the moments m of x. 400 runs: the standard
    error of a share of .93 is .013. The plain percentile interval covers some 80%.
    """
    reference = np.array([[-0.5], [0.2], [1.0]])

    def moments(mean: float) -> np.ndarray:
        return np.array([1, 3 * mean, 3 * (mean**2 + 0.04), mean**3 + 3 * mean * 0.04])

    def true_distance(mean: float) -> float:
        one, first, second, third = moments(mean)
        own = one + first**2 / 3 + second**2 / 3 + third**2
        return float(own - 2 * np.mean([moments(mean) @ [1, r, r**2, r**3] for r in reference[:, 0]]))

    rng, truth, runs, hits = np.random.default_rng(0), true_distance(1.3) - true_distance(1.0), 400, 0
    for run in range(runs):
        base, tuned = rng.normal(1, 0.2, (8, 1)), rng.normal(1.3, 0.2, (8, 1))
        effect = compare_kernel_distance(
            base, tuned, reference=reference, prompts=["a"] * 4 + ["b"] * 4, seed=run, resamples=300, permutations=1
        )
        assert effect.ci_low is not None and effect.ci_high is not None
        hits += effect.ci_low <= truth <= effect.ci_high
    assert 0.88 < hits / runs < 0.98


def test_the_same_images_do_not_differ() -> None:
    """A LoRA that learned nothing: what rounding leaves has no sign."""
    same, reference = features(40, 0.3, d=64).astype(np.float32), features(9, seed=2, d=64)
    effect = compare_kernel_distance(
        same, same.copy(), reference=reference, prompts=["a", "b"] * 20, seed=0, resamples=200
    )
    assert (effect.delta, effect.p) == (0, 1)
    assert (effect.ci_low, effect.ci_high) == (pytest.approx(0, abs=1e-12), pytest.approx(0, abs=1e-12))


def test_too_few_pairs_have_no_value_and_bad_sets_are_named() -> None:
    effect = compare_kernel_distance(features(5), features(5, seed=1), reference=features(4), prompts=["a"] * 5, seed=0)
    assert effect.p is None and effect.ci_low is None and effect.reason
    assert effect.base == kernel_distance(features(5), features(4))
    alone = compare_kernel_distance(features(9), features(9, seed=1), reference=features(1), prompts=["a"] * 9, seed=0)
    assert alone.base is None and alone.delta is None and alone.reason
    for few in (0, 1):
        with pytest.raises(ValueError, match="two images"):
            kernel_distance(features(few), features(3))
        with pytest.raises(ValueError, match="two images"):
            kernel_distance_test(features(3), features(few), seed=0)
    for test in (kernel_distance, partial(kernel_distance_test, seed=0)):
        with pytest.raises(ValueError, match="NaN"):
            test(features(3), np.full((3, 5), math.nan))
    with pytest.raises(ValueError, match="one dimension"):
        kernel_distance(features(3), features(3, d=4))
