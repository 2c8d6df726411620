"""Within-set means: paired by seed, and unpaired."""

from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import permutation_test as scipy_permutation_test

from anomend.statistics.unpaired import permutation_test, within_set_permutation_test
from anomend.statistics.within_set import compare_within_set, mean_within_sets, within_set_mean


def similarities(values: np.ndarray) -> np.ndarray:
    """Of scalars: minus their squared distance, whose within-set mean is -2 variances."""
    return -((values[:, None] - values[None, :]) ** 2)


def by_hand(values: np.ndarray) -> float:
    return float(np.mean([-((a - b) ** 2) for a, b in combinations(values, 2)]))


def test_within_set_mean_leaves_the_diagonal_out() -> None:
    matrix = np.array([[9.0, 1, 2], [1, 9, 3], [2, 3, 9]])
    assert within_set_mean(matrix) == 2
    assert within_set_mean(matrix[:1, :1]) is None
    assert mean_within_sets({"a": matrix, "b": matrix[:2, :2], "one image": matrix[:1, :1]}) == 1.5
    assert mean_within_sets({"one image": matrix[:1, :1]}) is None


def test_paired_comparison_by_swapping_every_pair_by_hand() -> None:
    rng = np.random.default_rng(0)
    base = {"a": rng.normal(size=4), "b": rng.normal(size=5)}
    tuned = {"a": rng.normal(0, 0.3, size=4), "b": rng.normal(0, 0.4, size=5)}
    matrices = {name: similarities(np.concatenate([base[name], tuned[name]])) for name in base}
    effect = compare_within_set(matrices, better="closer", seed=0)
    assert effect.base == pytest.approx(np.mean([by_hand(base["a"]), by_hand(base["b"])]))
    assert effect.tuned == pytest.approx(np.mean([by_hand(tuned["a"]), by_hand(tuned["b"])]))
    assert (effect.n, effect.clusters) == (9, 2)
    deltas = []
    for swaps in product((False, True), repeat=9):
        delta = 0.0
        for name, own in (("a", np.array(swaps[:4])), ("b", np.array(swaps[4:]))):
            first, second = np.where(own, tuned[name], base[name]), np.where(own, base[name], tuned[name])
            delta += (by_hand(second) - by_hand(first)) / 2
        deltas.append(abs(delta))
    assert effect.delta is not None
    assert effect.p == pytest.approx(np.mean(np.array(deltas) >= abs(effect.delta) - 1e-12))


def test_interval_never_compares_an_image_with_itself() -> None:
    # All pairs of different images are equally alike: a duplicate compared with itself (1) would show.
    matrix = np.full((20, 20), 0.2)
    np.fill_diagonal(matrix, 1)
    effect = compare_within_set({"a": matrix}, better="lower", seed=0, resamples=300)
    assert (effect.delta, effect.p) == (0, 1)
    assert effect.ci_low == pytest.approx(0, abs=1e-12) and effect.ci_high == pytest.approx(0, abs=1e-12)


def test_interval_covers_and_p_is_uniform_under_the_null() -> None:
    rng = np.random.default_rng(0)
    hits, p, runs = 0, [], 250
    for run in range(runs):
        common = rng.normal(size=15)
        base, tuned = common + rng.normal(size=15), common + rng.normal(size=15)
        matrices = {"a": similarities(np.concatenate([base, 0.5 * tuned]))}
        effect = compare_within_set(matrices, better="closer", seed=run, resamples=300, permutations=1)
        # Variances 2 and .5: -2 * .5 - -2 * 2.
        assert effect.ci_low is not None and effect.ci_high is not None
        hits += effect.ci_low <= 3 <= effect.ci_high
        null = {"a": similarities(np.concatenate([base[:8], tuned[:8]]))}
        p.append(compare_within_set(null, better="closer", seed=run, resamples=2).p)
    # Intervals of a variance at n = 15 are known to be short.
    assert 0.85 < hits / runs < 0.99
    assert 0.015 < np.mean(np.array(p) <= 0.05) < 0.09


def test_ratio_of_diversities_covers() -> None:
    """Of variances 1 and .5, at 24 seeds for each of 2 prompts, base and tuned correlated."""
    rng = np.random.default_rng(0)
    hits, runs = 0, 300
    for run in range(runs):
        matrices = {}
        for prompt in ("a", "b"):
            common = rng.normal(size=24)
            base = (common + rng.normal(size=24)) / np.sqrt(2)
            tuned = (common + rng.normal(size=24)) / 2
            matrices[prompt] = -similarities(np.concatenate([base, tuned]))
        effect = compare_within_set(matrices, better="higher", seed=run, resamples=250, permutations=1, ratio=True)
        assert effect.ratio is not None and effect.ratio_ci_low is not None and effect.ratio_ci_high is not None
        assert effect.tuned is not None and effect.base is not None
        assert effect.ratio == pytest.approx(effect.tuned / effect.base)
        hits += effect.ratio_ci_low <= 0.5 <= effect.ratio_ci_high
    # 300 runs: the standard error of a share of .95 is .013.
    assert 0.90 < hits / runs < 0.985


def test_no_ratio_without_a_base_above_zero() -> None:
    zeros = compare_within_set({"a": np.zeros((12, 12))}, better="higher", seed=0, resamples=50, ratio=True)
    assert zeros.ratio is None and "ratio" not in zeros.as_dict()


def test_paired_edge_cases() -> None:
    one_seed = compare_within_set({"a": np.eye(2), "b": np.eye(2)}, better="lower", seed=0)
    assert one_seed.base is None and one_seed.reason is not None and "two seeds" in one_seed.reason
    two_seeds = compare_within_set({name: np.eye(4) for name in "abcd"}, better="lower", seed=0)
    assert two_seeds.base == 0 and two_seeds.p is None and two_seeds.reason is not None
    assert compare_within_set({}, better="lower", seed=0).reason is not None
    with pytest.raises(ValueError, match="'a': expected a matrix"):
        compare_within_set({"a": np.eye(3)}, better="lower", seed=0)
    with pytest.raises(ValueError, match="finite and symmetric"):
        compare_within_set({"a": np.arange(16.0).reshape(4, 4)}, better="lower", seed=0)


def test_unpaired_values_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=6), rng.normal(1, size=5)
    result = permutation_test(first, second, seed=0)
    expected = scipy_permutation_test(
        (first, second), lambda a, b: abs(a.mean() - b.mean()), n_resamples=np.inf, alternative="greater"
    )
    assert result.delta == pytest.approx(second.mean() - first.mean())
    assert result.p == pytest.approx(expected.pvalue)
    assert result.method == "exact permutation of 462 splits"


def test_ten_against_ten_are_listed() -> None:
    far = permutation_test(np.zeros(10), np.ones(10), seed=0)
    assert far.p == pytest.approx(2 / 184756)
    equal = permutation_test(np.full(10, 0.1), np.full(10, 0.1), seed=0)
    assert (equal.delta, equal.p) == (0, 1)


def test_unpaired_within_set_by_hand() -> None:
    rng = np.random.default_rng(1)
    pooled = np.concatenate([rng.normal(size=5), rng.normal(0, 0.2, size=4)])
    result = within_set_permutation_test(similarities(pooled), 5, seed=0)
    assert result.delta == pytest.approx(by_hand(pooled[5:]) - by_hand(pooled[:5]))
    deltas = []
    for chosen in combinations(range(9), 5):
        rest = [i for i in range(9) if i not in chosen]
        deltas.append(abs(by_hand(pooled[rest]) - by_hand(pooled[list(chosen)])))
    assert result.delta is not None
    assert result.p == pytest.approx(np.mean(np.array(deltas) >= abs(result.delta) - 1e-12))


def test_many_images_are_drawn_from_the_seed() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=40), rng.normal(3, size=40)
    result = permutation_test(first, second, seed=0, permutations=400)
    assert result.p == pytest.approx(1 / 401)
    assert "400 splits drawn" in result.method
    assert permutation_test(first, first[::-1], seed=0, permutations=400).p == 1


def test_unpaired_edge_cases() -> None:
    few = permutation_test([1.0, 2.0], [3.0, 4.0], seed=0)
    assert few.delta == 2 and few.p is None and few.reason is not None
    alone = within_set_permutation_test(np.eye(3), 1, seed=0)
    assert alone.p is None and alone.reason is not None
    equal = within_set_permutation_test(np.full((12, 12), 0.1), 6, seed=0)
    assert equal.p == 1 and equal.delta == pytest.approx(0)
    with pytest.raises(ValueError, match="infinite"):
        within_set_permutation_test(np.full((12, 12), np.inf), 6, seed=0)
    with pytest.raises(ValueError, match="both sets"):
        permutation_test([], [1.0], seed=0)
