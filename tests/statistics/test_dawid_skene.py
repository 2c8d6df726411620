"""Raters' errors: against crowd-kit, against what was planted, and where they cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from anomend.statistics import dawid_skene
from anomend.statistics.dawid_skene import NOTHING, UNSURE, WRONG, fit_raters

THREE = (
    "0001110110010000000101011010011100110110",
    "0000110110010000100101110010011000110100",
    "1011100111010000100011000010001000110100",
)
"""Whether each of three raters found something wrong in 40 pictures."""


def codes(*raters: str) -> np.ndarray:
    return np.array([[WRONG if answer == "1" else NOTHING for answer in rater] for rater in raters]).T


def test_the_fit_is_crowd_kits(monkeypatch: pytest.MonkeyPatch) -> None:
    """DawidSkene(n_iter=5000, tol=1e-12) of crowd-kit 1.4.2, which has no prior."""
    monkeypatch.setattr(dawid_skene, "CELL_PICTURES", 1e-9)
    fit = fit_raters(codes(*THREE), np.zeros(40, dtype=int), prior_pictures=1e-9)
    assert fit.shares[0] == pytest.approx(0.385643, abs=1e-5)
    assert fit.sensitivity == pytest.approx([0.922993, 0.972571, 0.719966], abs=1e-5)
    assert fit.specificity == pytest.approx([0.846906, 0.959413, 0.800848], abs=1e-5)
    assert fit.posterior[:6] == pytest.approx([0.005865, 0.00057, 0.005865, 0.281169, 0.996959, 0.969429], abs=1e-5)


def test_raters_who_always_agree_hardly_err() -> None:
    fit = fit_raters(codes(THREE[0], THREE[0], THREE[0]), np.zeros(40, dtype=int))
    assert fit.balanced_error == pytest.approx([0.01, 0.01, 0.01], abs=0.01)
    assert (np.round(fit.posterior) == [int(answer) for answer in THREE[0]]).all()


def test_the_errors_standard_deviation_is_that_of_repetitions() -> None:
    rng = np.random.default_rng(0)
    logits, stated = [], []
    cells = np.repeat([0, 1], 200)
    for _ in range(150):
        wrong = rng.random(400) < np.where(cells == 0, 0.7, 0.2)
        flips = rng.random((400, 3)) < np.array([0.1, 0.15, 0.2])
        fit = fit_raters(2 * (wrong[:, None] != flips), cells)
        # The logit of `wrong` against `nothing`, for the first rater and wrong pictures.
        logits.append(np.log(fit.answers[0, 1, WRONG] / fit.answers[0, 1, NOTHING]))
        stated.append(fit.covariance[3, 3])
    assert np.sqrt(np.median(stated)) == pytest.approx(np.std(logits), rel=0.2)


def test_gold_pictures_tell_the_errors_of_a_single_rater() -> None:
    rng = np.random.default_rng(1)
    gold = np.repeat([0, 1], 200)
    answers = 2 * (gold.astype(bool) != (rng.random(400) < 0.15))[:, None]
    fit = fit_raters(answers, np.zeros(400, dtype=int), known=gold)
    assert fit.sensitivity[0] == pytest.approx(0.85, abs=0.06)
    assert fit.specificity[0] == pytest.approx(0.85, abs=0.06)


def test_one_rater_without_gold_leaves_the_errors_unknown() -> None:
    alone = fit_raters(codes(THREE[0]), np.zeros(40, dtype=int))
    three = fit_raters(codes(*THREE), np.zeros(40, dtype=int))
    # Of `wrong` against `nothing` in wrong pictures, which for three raters is a standard deviation of 1.3.
    assert alone.covariance[3, 3] > 5 * three.covariance[3, 3]


def test_unsure_is_an_answer_of_its_own() -> None:
    """A rater who is unsure of wrong pictures alone says as much as one who calls them wrong."""
    answers = codes(*THREE)
    unsure = answers.copy()
    unsure[:, 0] = np.where(answers[:, 0] == WRONG, UNSURE, NOTHING)
    cells = np.zeros(40, dtype=int)
    plain, learnt = fit_raters(answers, cells), fit_raters(unsure, cells)
    assert learnt.answers[0, 1, UNSURE] > 0.7 and learnt.answers[0, 0, UNSURE] < 0.3
    assert (np.round(plain.posterior) == np.round(learnt.posterior)).mean() > 0.9


def test_without_answers_there_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="at least one answer"):
        fit_raters(np.full((4, 2), -1), np.zeros(4, dtype=int))
