"""Agreement of raters, against published worked examples and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from anomend.project.seeding import numpy_generator
from anomend.statistics.rater_agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha, krippendorff_interval


def test_kappa_by_hand_and_by_statsmodels() -> None:
    # Both say yes 20 times, no 15; 5 and 10 times they differ: p_o = .7, p_e = .5, kappa = .4.
    assert cohen_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)
    table = numpy_generator(1, "kappa").integers(0, 30, (3, 3))
    assert cohen_kappa(table) == pytest.approx(cohens_kappa(table).kappa)
    assert np.isnan(cohen_kappa(np.array([[7, 0], [0, 0]]))) and np.isnan(cohen_kappa(np.zeros((3, 3))))


def test_fleiss_1971() -> None:
    """The worked example of Fleiss 1971 (10 subjects, 14 raters, 5 categories): kappa .210."""
    lines = ["0000e", "02642", "00356", "03920", "22811", "77000", "32630", "25322", "65210", "02237"]
    counts = np.array([[int(digit, 16) for digit in line] for line in lines])
    assert set(counts.sum(axis=1)) == {14}
    assert fleiss_kappa(counts) == pytest.approx(0.210, abs=5e-4)


def counted(observers: list[str]) -> np.ndarray:
    """Counts of each unit and category from one line an observer, a dot where there is no rating."""
    categories = sorted(set("".join(observers)) - {"."})
    return np.array([[column.count(value) for value in categories] for column in zip(*observers, strict=True)])


def test_krippendorff_2011() -> None:
    """The worked examples A and C of Krippendorff 2011: binary data, and nominal data with missing ratings."""
    assert krippendorff_alpha(counted(["0100000010", "1110010000"])) == pytest.approx(0.095, abs=5e-4)
    observers = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    assert krippendorff_alpha(counted(observers)) == pytest.approx(0.743, abs=5e-4)


def test_agreement_that_cannot_be_computed_is_none() -> None:
    one_category, unequal, single = np.array([[3, 0], [3, 0]]), np.array([[2, 1], [1, 1]]), np.array([[1, 0], [0, 1]])
    assert fleiss_kappa(one_category) is None and krippendorff_alpha(one_category) is None
    assert fleiss_kappa(unequal) is None and krippendorff_alpha(unequal) is not None
    assert fleiss_kappa(single) is None and krippendorff_alpha(single) is None


def test_the_interval_of_alpha_is_that_of_resampled_pictures() -> None:
    """Against alpha itself, picture by picture drawn anew."""
    rng = np.random.default_rng(0)
    wrong = rng.random(60) < 0.4
    answers = wrong[:, None] != (rng.random((60, 3)) < 0.15)
    counts = np.stack([3 - answers.sum(axis=1), answers.sum(axis=1)], axis=1)
    counts[0] = [1, 0]  # One answer says nothing of agreement.
    low, high = krippendorff_interval(counts, seed=0, resamples=2000)
    pairable = counts[1:]
    drawn = [krippendorff_alpha(pairable[rng.integers(59, size=59)]) for _ in range(2000)]
    assert low == pytest.approx(np.quantile(np.array(drawn, dtype=float), 0.025), abs=0.03)
    assert high == pytest.approx(np.quantile(np.array(drawn, dtype=float), 0.975), abs=0.03)
    assert krippendorff_interval(np.array([[1, 0], [0, 1]]), seed=0) == (None, None)
