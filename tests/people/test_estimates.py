"""Labels of people on a part of the pictures, and a detector on all: coverage and width. The study has more runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomend.people.estimates import estimate
from anomend.people.labelled_pairs import LabelledPairs, of_prompt
from anomend.statistics.corrected_labels import CorrectedLabels
from tests.people.made import simulated_pairs

GOOD = {"base": (0.9, 0.95), "tuned": (0.9, 0.95)}
POOR = {"base": (0.6, 0.7), "tuned": (0.6, 0.7)}
BLIND_ON_TUNED = {"base": (0.9, 0.95), "tuned": (0.5, 0.95)}


@pytest.mark.parametrize(("detector", "narrower"), [(GOOD, 0.9), (POOR, 1.05), (BLIND_ON_TUNED, 0.95)])
def test_64_labels_of_256_hold_the_truth_and_are_no_wider_than_people_alone(
    detector: dict[str, tuple[float, float]], narrower: float
) -> None:
    """Of 80 runs with a coverage of 94%, 69 or fewer hold in 2%."""
    rng, held, widths = np.random.default_rng(3), np.zeros(2), []
    for _ in range(80):
        pairs, _ = simulated_pairs(rng, 256, (0.7, 0.15), (0.05, 0.1, 0.2), labelled=64, detector=detector)
        both, alone = estimate(pairs), estimate(replace(pairs, machine=None))
        assert both and alone
        held += [
            low <= truth <= high
            for (low, high), truth in ((both.pairs.interval(), 0.15), (both.pairs.rise_interval(), -0.55))
        ]
        intervals = [
            (both.pairs.interval(), alone.pairs.interval()),
            (both.pairs.rise_interval(), alone.pairs.rise_interval()),
        ]
        widths.append([(high - low) / (alone_high - alone_low) for (low, high), (alone_low, alone_high) in intervals])
    assert held.min() >= 70
    assert np.mean(widths, axis=0)[1] < narrower
    assert np.max(widths) <= 1.05


@pytest.mark.parametrize(("found_elsewhere", "alone_decide"), [(0.05, False), (0.4, True)])
def test_people_alone_decide_where_the_detector_would_widen_their_interval(
    found_elsewhere: float, alone_decide: bool
) -> None:
    """People and detector agree on 20 labelled tuned pictures, one wrong; of 200 others it finds few or many wrong."""
    n, labelled = 220, 20
    wrong = np.arange(n) % labelled == 0
    predicted = np.where(np.arange(n) < labelled, wrong, np.arange(n) % 100 < 100 * found_elsewhere)
    values = np.where(np.arange(n) < labelled, wrong, np.nan)
    perfect = CorrectedLabels(
        values=values, noise=np.zeros((n, 2)), leverage=np.zeros((n, 2, 1)), covariance=np.zeros((1, 1))
    )
    base = replace(perfect, values=1 - values)
    machine = np.stack([1 - predicted, predicted], axis=1).astype(float)
    pairs = LabelledPairs(prompts=np.array(["a prompt"] * n, dtype=object), base=base, tuned=perfect, machine=machine)
    helped, alone = estimate(pairs), estimate(replace(pairs, machine=None))
    assert helped and alone
    assert (helped.tuned.power == 0) == alone_decide
    assert (helped.pairs.interval() == alone.pairs.interval()) == alone_decide
    (low, high), (alone_low, alone_high) = helped.pairs.interval(), alone.pairs.interval()
    assert high - low <= 1.05 * (alone_high - alone_low)


def test_a_prompt_counts_by_its_samples_however_few_have_labels() -> None:
    """Two prompts of 100 pairs, of which people label 100 and 20: the rate is the mean of both prompts' rates."""
    rng = np.random.default_rng(0)
    pairs, _ = simulated_pairs(rng, 200, (0.7, 0.3), (0.05, 0.05, 0.05))
    names = np.array(["one"] * 100 + ["two"] * 100, dtype=object)
    values = pairs.tuned.values.copy()
    values[120:] = np.nan
    pairs = replace(pairs, prompts=names, tuned=replace(pairs.tuned, values=values))
    found = estimate(pairs)
    single = [estimate(of_prompt(pairs, name)) for name in ("one", "two")]
    assert found and all(single)
    assert found.pairs.tuned == pytest.approx(np.mean([each.pairs.tuned for each in single if each]))
    assert found.pairs.seen == 120
    # Weights .5 / 100 and .5 / 20: 1 / (.25 / 100 + .25 / 20).
    assert found.pairs.n == pytest.approx(1 / (0.25 / 100 + 0.25 / 20))


def test_a_prompt_without_labels_leaves_no_estimate() -> None:
    pairs, _ = simulated_pairs(np.random.default_rng(0), 40, (0.7, 0.3), (0.05, 0.05))
    values = np.where(np.arange(40) < 20, pairs.tuned.values, np.nan)
    names = np.array(["one"] * 20 + ["two"] * 20, dtype=object)
    assert estimate(replace(pairs, prompts=names, tuned=replace(pairs.tuned, values=values))) is None
