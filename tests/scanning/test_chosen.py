"""A scan that people judge with a detector: who sees which images, and that it errs no more for any detector."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from anomend.scanning.chosen import ChosenPictures, chances_of
from anomend.scanning.results import reported_rates
from anomend.scanning.rounds import Requests, scan
from anomend.scanning.rules import Rules, Tally
from anomend.statistics.confidence_sequences import exact_interval
from anomend.statistics.weighted_e_values import log_e_mean
from studies.experiments.scan_evidence import BLIND, FRESH, PERFECT, Machine, rules_of, simulated_scan

MACHINES = (PERFECT, BLIND, Machine("coin", 0.5, 0.5), Machine("always the opposite", 0, 0))


def test_people_rather_see_what_the_detector_finds_where_it_finds_much() -> None:
    # Half of the chance is alike for all four; the other half goes to the two, to the three others, to all.
    assert chances_of([True, True, False, False], 0.3) == pytest.approx([3 / 8, 3 / 8, 1 / 8, 1 / 8])
    assert chances_of([True, False, False, False], 0.3) == pytest.approx([1 / 8, *[1 / 8 + 1 / 6] * 3])
    assert chances_of([True] * 4, 0.3) == chances_of([False] * 4, 0.3) == [1 / 4] * 4


def test_a_label_stands_for_its_group_and_bets_are_fair_whatever_the_detector_finds() -> None:
    """All images and detections of a group of three at a rate of the limit, and all draws: the mean is exact."""
    rate, limit = 0.2, 0.2
    for sensitivity, specificity in itertools.product((0.0, 0.3, 1.0), repeat=2):
        mean = value = 0.0
        for wrong, detected in itertools.product(itertools.product((False, True), repeat=3), repeat=2):
            chance = math.prod(rate if one else 1 - rate for one in wrong)
            for one, flag in zip(wrong, detected, strict=True):
                finds = sensitivity if one else 1 - specificity
                chance *= finds if flag else 1 - finds
            for one, drawn in zip(wrong, chances_of(detected, 0.3), strict=True):
                z = one / (3 * drawn)
                mean += chance * drawn * z
                value += chance * drawn * math.exp(log_e_mean([z], limit))
        assert mean == pytest.approx(rate) and value == pytest.approx(1)


def test_the_images_that_people_see_are_drawn_with_these_chances_and_weights() -> None:
    rules = Rules(seeds_per_round=4, most_seeds=4, images_per_label=4)
    counts = {True: 0, False: 0}
    for run in range(1000):
        prompt = f"prompt {run}"

        def detected(requests: Requests) -> dict[tuple[str, int], bool]:
            return {(prompt, seed): seed % 4 < 2 for prompt, seeds in requests for seed in seeds}

        chosen = ChosenPictures(
            detect=detected,
            said_of=lambda keys: dict.fromkeys(keys, False),
            images_per_label=4,
            focus=0.3,
            fresh=FRESH,
        )
        seen = scan([prompt], rules, chosen.find, first_seed=0, fresh_seeds=FRESH, weights=chosen.weights)
        (((_, seed), _),) = seen.anomalous.items()
        assert chosen.weights(prompt, range(4)) == pytest.approx({seed: 2 / 3 if seed < 2 else 2})
        assert seen.tallies[prompt].images == 4 and seen.tallies[prompt].n == 1
        counts[seed < 2] += 1
    # Three in four: 750, with a standard error of 14.
    assert abs(counts[True] - 750) < 55


def test_people_are_asked_for_the_chosen_images_alone_and_for_all_fresh_ones() -> None:
    def find(requests: Requests) -> dict[tuple[str, int], bool]:
        return {(prompt, seed): prompt == "bad" for prompt, seeds in requests for seed in seeds}

    answers: dict[tuple[str, int], bool] = {}
    rules, asked = rules_of(PERFECT), list[dict[str, list[int]]]()

    def said_of(keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], bool]:
        return {key: answers[key] for key in keys if key in answers}

    for _ in range(20):
        chosen = ChosenPictures(
            detect=find,
            said_of=said_of,
            images_per_label=8,
            focus=0.3,
            fresh=FRESH,
        )
        seen = scan(["bad", "good"], rules, chosen.find, first_seed=0, fresh_seeds=FRESH, weights=chosen.weights)
        if not seen.waiting:
            break
        asked.append({prompt: list(seeds) for prompt, seeds in seen.waiting.items()})
        answers |= {(prompt, seed): prompt == "bad" for prompt, seeds in seen.waiting.items() for seed in seeds}
    assert seen.statuses == {"bad": "wrong", "good": "fine"}
    for number, of_round in enumerate(asked):
        for prompt, seeds in of_round.items():
            first = 32 * number
            assert seeds == list(FRESH) or [seed // 8 for seed in seeds] == [first // 8 + place for place in range(4)]
            assert seeds != list(FRESH) or prompt == "bad"
    assert sum(len(seeds) for of_round in asked for seeds in of_round.values()) == len(answers)
    assert seen.fresh["bad"] == Tally(24, 24)
    assert reported_rates(seen, 0.95)["bad"].ci_low == exact_interval(24, 24)[0]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_a_prompt_at_the_limit_is_called_wrong_in_at_most_5_percent_whatever_the_detector_is(machine: Machine) -> None:
    """One prompt alone, so that no other one's share of the error is left over, and fine as good as never. 120 runs."""
    rules = replace(rules_of(machine), worth=0.21)
    found = sum(bool(simulated_scan({"a": 0.2}, machine, run, rules).found) for run in range(120))
    assert found <= 6


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_a_prompt_at_worth_is_called_fine_in_at_most_5_percent_whatever_the_detector_is(machine: Machine) -> None:
    rules = replace(rules_of(machine), limit=0.39)
    fine = sum(simulated_scan({"a": 0.4}, machine, run, rules).statuses["a"] == "fine" for run in range(120))
    assert fine <= 6


@pytest.mark.parametrize("machine", [None, *MACHINES], ids=lambda machine: machine.name if machine else "people")
def test_reported_rates_cover_the_truth_after_selection(machine: Machine | None) -> None:
    """Eight prompts about the limit. Where people alone judge, they differ on one image in ten."""
    rates = {str(n): rate for n, rate in enumerate(np.linspace(0.1, 0.6, 8))}
    hits: dict[bool, list[bool]] = {True: [], False: []}
    for run in range(25):
        seen = simulated_scan(rates, machine, run, rules_of(machine), unclear=0.0 if machine else 0.1)
        for prompt, row in reported_rates(seen, 0.95).items():
            hits[row.fresh].append(bool(row.ci_low <= rates[prompt] <= row.ci_high))
    assert min(len(of) for of in hits.values()) >= 60
    assert all(np.mean(of) >= 0.94 for of in hits.values())


def test_a_good_detector_saves_labels_of_prompts_that_are_half_wrong_and_a_blind_one_costs_few() -> None:
    def labels(machine: Machine | None) -> float:
        runs = [simulated_scan({"a": 0.5}, machine, run, rules_of(machine)) for run in range(50)]
        return float(np.mean([seen.tallies["a"].n for seen in runs]))

    alone, good, blind = labels(None), labels(PERFECT), labels(BLIND)
    assert good < 0.8 * alone and blind < 1.2 * alone
