"""Corrected labels: Rogan & Gladen's estimator where it applies, unbiased everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from anomend.statistics.corrected_labels import correct_labels
from anomend.statistics.dawid_skene import ANSWERS, NOTHING, WRONG, RaterErrors


def errors(pairs: list[tuple[float, float]], unsure: float = 0.0, share: float = 0.3) -> RaterErrors:
    """Raters of known sensitivity and specificity."""
    table = np.array(
        [
            [[(1 - unsure) * sp, unsure, (1 - unsure) * (1 - sp)], [(1 - unsure) * (1 - se), unsure, (1 - unsure) * se]]
            for se, sp in pairs
        ]
    )
    table = np.clip(table, 1e-12, 1)
    size = len(pairs) * 2 * (ANSWERS - 1)
    return RaterErrors(
        answers=table, covariance=np.zeros((size, size)), shares=np.array([share]), posterior=np.zeros(0)
    )


def test_one_rater_is_corrected_as_rogan_and_gladen_do() -> None:
    """(p + specificity - 1) / (sensitivity + specificity - 1), worked by hand: (.4 - .1) / .7."""
    answers = np.array([[WRONG]] * 4 + [[NOTHING]] * 6)
    corrected = correct_labels(answers, np.zeros(10, dtype=int), errors([(0.8, 0.9)]))
    assert corrected.values.mean() == pytest.approx(0.3 / 0.7, abs=1e-9)
    # Variance of one label: specificity (1 - specificity) / .7^2 for a right picture.
    assert corrected.noise[0] == pytest.approx([0.09 / 0.49, 0.16 / 0.49], abs=1e-9)


@pytest.mark.parametrize("raters", [2, 3, 7])
@pytest.mark.parametrize("unsure", [0.0, 0.2])
def test_the_mean_is_the_truth_whatever_share_was_assumed(raters: int, unsure: float) -> None:
    rng = np.random.default_rng(raters)
    known = errors([(0.8, 0.9), (0.9, 0.85), (0.7, 0.95)] * 3, unsure=unsure, share=0.3)
    known = RaterErrors(
        answers=known.answers[:raters],
        covariance=np.zeros((raters * 4, raters * 4)),
        shares=known.shares,
        posterior=known.posterior,
    )
    for truth in (0.0, 0.1, 0.6, 1.0):
        wrong = np.arange(20_000) < 20_000 * truth
        chances = known.answers[np.arange(raters)[None, :], wrong.astype(int)[:, None]]
        answers = (rng.random((len(wrong), raters))[..., None] > np.cumsum(chances, axis=2)[..., :-1]).sum(axis=-1)
        corrected = correct_labels(answers, np.zeros(len(wrong), dtype=int), known)
        assert corrected.values.mean() == pytest.approx(truth, abs=0.01)
        stated = corrected.noise[0] @ [1 - truth, truth] + truth * (1 - truth)
        assert corrected.values.var() == pytest.approx(stated, rel=0.06, abs=0.003)


def test_more_raters_make_less_noise_and_perfect_ones_none() -> None:
    cells = np.zeros(1, dtype=int)
    noise = [
        correct_labels(np.full((1, count), WRONG), cells, errors([(0.85, 0.85)] * count)).noise[0].sum()
        for count in (1, 2, 3, 5)
    ]
    assert noise == sorted(noise, reverse=True)
    perfect = correct_labels(np.array([[WRONG], [NOTHING]]), np.zeros(2, dtype=int), errors([(1.0, 1.0)]))
    assert perfect.values == pytest.approx([1, 0], abs=1e-9)
    assert perfect.noise == pytest.approx(0, abs=1e-9)


def test_the_leverage_is_the_change_that_other_errors_make() -> None:
    """Against the difference of two corrections, whose assumed specificity differs by little."""
    rng = np.random.default_rng(4)
    wrong = np.arange(40_000) < 12_000
    true = errors([(0.8, 0.9), (0.9, 0.85)])
    flips = rng.random((40_000, 2)) < np.where(wrong[:, None], [0.2, 0.1], [0.1, 0.15])
    answers = 2 * (wrong[:, None] != flips)
    cells, step = np.zeros(40_000, dtype=int), 0.05
    shifted = true.answers.copy()
    logit = np.log(shifted[0, 0, WRONG] / shifted[0, 0, NOTHING]) + step
    shifted[0, 0, WRONG] = 1 / (1 + np.exp(-logit))
    shifted[0, 0, NOTHING] = 1 - shifted[0, 0, WRONG]
    before = correct_labels(answers, cells, true)
    other = RaterErrors(answers=shifted, covariance=true.covariance, shares=true.shares, posterior=true.posterior)
    after = correct_labels(answers, cells, other)
    expected = before.leverage[0].T @ [0.7, 0.3]
    # Logits are in the order rater, class, (unsure, wrong): the first rater's false alarms are the second.
    assert (after.values.mean() - before.values.mean()) / step == pytest.approx(expected[1], rel=0.1)


def test_a_picture_without_answers_has_no_label() -> None:
    corrected = correct_labels(np.array([[-1, -1], [WRONG, -1]]), np.zeros(2, dtype=int), errors([(0.9, 0.9)] * 2))
    assert np.isnan(corrected.values).tolist() == [True, False]
