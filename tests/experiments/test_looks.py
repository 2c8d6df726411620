"""The simulation of looks: its right images, its counts of images, and that a cell is the same again."""

from __future__ import annotations

import numpy as np
import pytest

from anomend.project.seeding import numpy_generator
from anomend.statistics.within_set_ratio import jackknife
from studies.experiments import looks
from studies.experiments.looks_page import fewest_seeds
from studies.experiments.truths import DESIGNS, GOOD, TRUTHS, Design

SMALL = Design(2, 20, 2, 20)


@pytest.fixture(autouse=True)
def small_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "POOL", 20)
    looks.sequences.cache_clear()
    looks.first_diversities.cache_clear()


def test_diversities_are_those_of_the_jackknife_on_the_first_images() -> None:
    values = looks.sequences("base", 20)[3, :12]
    distances = ((values[:, None] - values) ** 2).mean(axis=2)
    expected = jackknife(distances)
    assert looks.first_diversities("base", 12, 20)[:, 3] == pytest.approx([expected.value, expected.variance])


def test_a_run_that_changes_nothing_ends_at_the_first_look_and_one_at_a_limit_at_the_last() -> None:
    rng = numpy_generator("test of looks")
    nothing = next(truth for truth in TRUTHS if truth.name == "nothing changed")
    outcome, images = looks.Run(nothing, DESIGNS[0], rng).outcome()
    assert outcome == "not_corrected" and images == 0.2 * DESIGNS[0].images
    outcome, images = looks.Run(GOOD, SMALL, rng).outcome()
    assert outcome == "inconclusive" and images == SMALL.images


def test_a_cell_is_the_same_again() -> None:
    assert looks.simulate(GOOD, SMALL, 3) == looks.simulate(GOOD, SMALL, 3)


def test_the_fewest_seeds_by_walds_inequality() -> None:
    """Of a target prompt by hand: two prompts share the pairs that the rate's binomial divergence asks for."""
    miss = 0.05
    divergence = 0.08 * np.log(0.08 / 0.15) + 0.92 * np.log(0.92 / 0.85)
    by_hand = (0.95 * np.log(0.95 / 0.05) + 0.05 * np.log(0.05 / 0.95)) / divergence / 2
    target, held_out = fewest_seeds(DESIGNS[0], miss)
    assert target == pytest.approx(by_hand) and 20 < held_out < 40
