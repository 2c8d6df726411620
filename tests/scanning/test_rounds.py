"""The scan on simulated prompts: what it finds, what its rates cover, what it costs. No image is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from anomend.scanning.design import chances, fixed_images
from anomend.scanning.results import reported_rates
from anomend.scanning.rounds import Find, Requests, Scanned, scan
from anomend.scanning.rules import Rules, Tally
from anomend.statistics.confidence_sequences import sequence_interval

MINIATURE = {f"wrong {n}": rate for n, rate in enumerate((0.81, 0.81, 0.8))} | {
    f"right {n}": rate for n, rate in enumerate((0.08, 0.06, 0.05, 0.02, 0.02, 0.02, 0.02, 0.0, 0.0))
}
"""Rates like those of the miniature (models/mini/README.md)."""
FRESH = range(1000, 1024)


def world(rates: Mapping[str, float], run: int) -> tuple[Find, list[Requests]]:
    """Images that are anomalous by chance, each (prompt, seed) always the same; and what was asked for."""
    asked: list[Requests] = []
    drawn = {prompt: np.random.default_rng([run, n]).random(1024) for n, prompt in enumerate(rates)}

    def find(requests: Requests) -> dict[tuple[str, int], bool]:
        asked.append(requests)
        return {(prompt, s): bool(drawn[prompt][s] < rates[prompt]) for prompt, seeds in requests for s in seeds}

    return find, asked


def scanned(rates: Mapping[str, float], run: int, rules: Rules | None = None) -> Scanned:
    return scan(list(rates), rules or Rules(), world(rates, run)[0], first_seed=0, fresh_seeds=FRESH)


def test_settled_prompts_are_sampled_no_further_and_what_was_found_gets_fresh_seeds() -> None:
    find, asked = world(MINIATURE, 1)
    seen = scan(list(MINIATURE), Rules(), find, first_seed=0, fresh_seeds=FRESH)
    *rounds, fresh = asked
    assert [prompt for prompt, _ in rounds[0]] == list(MINIATURE)
    for number, requests in enumerate(rounds):
        assert {seeds for _, seeds in requests} == {range(8 * number, 8 * number + 8)}
        assert number == 0 or {prompt for prompt, _ in requests} < {prompt for prompt, _ in rounds[number - 1]}
    assert fresh == [(prompt, FRESH) for prompt in seen.found] and len(rounds) == seen.rounds
    assert seen.explored_images == sum(len(seeds) for requests in rounds for _, seeds in requests)
    assert all(seen.tallies[prompt].n == 8 * sum(prompt in dict(r) for r in rounds) for prompt in MINIATURE)
    assert set(FRESH).isdisjoint(seed for requests in rounds for _, seeds in requests for seed in seeds)


def test_the_three_wrong_prompts_and_nothing_else_are_found_in_200_of_200_runs() -> None:
    runs = [scanned(MINIATURE, run) for run in range(200)]
    assert all(seen.found == ["wrong 0", "wrong 1", "wrong 2"] for seen in runs)
    images = np.mean([seen.explored_images + seen.fresh_images for seen in runs])
    power = chances(Rules(), len(MINIATURE), Rules().worth)["wrong"]
    # Fresh images included.
    assert images <= 0.4 * fixed_images(Rules(), len(MINIATURE), power)


@pytest.mark.parametrize("rate", [0.03, 0.2])
def test_where_no_rate_is_above_the_limit_a_run_finds_something_in_at_most_5_percent(rate: float) -> None:
    """With 12 prompts at .2 each the true chance is far below: e-values are cautious. 300 runs."""
    found = sum(bool(scanned({str(n): rate for n in range(12)}, run).found) for run in range(300))
    assert found <= 15


def test_of_many_prompts_few_of_those_found_are_right() -> None:
    """Half of 60 prompts at the limit, the others above it: the mean share of the first kind, in 40 runs."""
    rates = {f"{n}": 0.2 for n in range(30)} | {f"w{n}": 0.5 for n in range(30)}
    shares = []
    for run in range(40):
        found = scanned(rates, run).found
        assert found
        shares.append(sum(not name.startswith("w") for name in found) / len(found))
    assert np.mean(shares) <= 0.05


def test_a_prompt_at_worth_is_called_fine_in_at_most_5_percent_and_by_the_exact_chances() -> None:
    rules = Rules()
    ends = chances(rules, 1, rules.worth)
    fine = sum(scanned({"a": rules.worth}, run).statuses["a"] == "fine" for run in range(1000))
    assert ends["fine"] <= 0.05 and binomtest(fine, 1000, ends["fine"]).pvalue > 0.001
    assert sum(ends[name] for name in ("wrong", "fine", "open")) == pytest.approx(1)


def test_the_exact_chances_are_those_of_simulated_scans() -> None:
    rules = replace(Rules(), most_seeds=64)
    ends = chances(rules, 1, 0.35)
    runs = [scanned({"a": 0.35}, run, rules) for run in range(1000)]
    for status in ("wrong", "fine", "open"):
        count = sum(seen.statuses["a"] == status for seen in runs)
        assert binomtest(count, 1000, ends[status]).pvalue > 0.001, status
    assert np.mean([seen.explored_images for seen in runs]) == pytest.approx(ends["images"], rel=0.06)


def test_the_fixed_design_is_the_smallest_whose_exact_test_is_strong_enough() -> None:
    rules, power = Rules(), 0.9
    n = fixed_images(rules, 12, power) // 12

    def found(images: int) -> float:
        fewest = next(k for k in range(images + 2) if binomtest(k, images, 0.2, "greater").pvalue <= 0.05 / 12)
        return float(binom.sf(fewest - 1, images, 0.4))

    assert found(n) >= power > found(n - 1)


def test_reported_rates_cover_the_truth_in_94_percent_also_after_selection() -> None:
    """Twelve prompts about the limit, where selection bites: what was found looks worse than it is."""
    rates = {str(n): rate for n, rate in enumerate(np.linspace(0.1, 0.6, 12))}
    reported = together = runs = covered = optimistic = 0
    for run in range(300):
        seen = scanned(rates, run)
        rows = reported_rates(seen, level=0.95)
        hits = [row.ci_low <= rates[prompt] <= row.ci_high for prompt, row in rows.items() if prompt in seen.found]
        reported, covered = reported + len(hits), covered + sum(hits)
        runs, together = runs + bool(hits), together + (bool(hits) and all(hits))
        optimistic += sum(seen.tallies[prompt].k / seen.tallies[prompt].n > rates[prompt] for prompt in seen.found)
    assert reported > 1000 and covered / reported >= 0.94
    assert together / runs >= 0.94
    # The images by which it was found would mislead.
    assert optimistic / reported > 0.6


def test_the_intervals_of_the_other_prompts_hold_at_whatever_round_they_stopped() -> None:
    rates = {str(n): rate for n, rate in enumerate((0.02, 0.05, 0.1, 0.15, 0.25, 0.3))}
    hits = []
    for run in range(300):
        seen = scanned(rates, run)
        rows = reported_rates(seen, level=0.95)
        hits += [rows[prompt].ci_low <= rate <= rows[prompt].ci_high for prompt, rate in rates.items()]
    assert np.mean(hits) >= 0.94


@pytest.mark.parametrize("n", [8, 16, 40])
def test_fine_means_that_the_interval_ends_below_worth(n: int) -> None:
    for k in range(n + 1):
        assert Rules().is_fine(Tally(k, n)) == (sequence_interval(k, n)[1] < 0.4)


def test_seeds_that_meet_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scan\.fresh\.first_seed reaches into"):
        scan(["a"], Rules(), world({"a": 0.5}, 0)[0], first_seed=0, fresh_seeds=range(100, 110))


def test_evidence_is_of_all_prompts_together() -> None:
    """Six of eight are enough for three prompts at once, and not for one alone: e-BH by hand."""
    many = {"a": Tally(6, 8), "b": Tally(6, 8), "c": Tally(6, 8)} | {f"{n}": Tally(0, 8) for n in range(9)}
    alone = {"a": Tally(6, 8)} | {f"{n}": Tally(0, 8) for n in range(11)}
    value = np.exp(Rules().evidence(Tally(6, 8)))
    assert 12 / (3 * 0.05) <= value < 12 / 0.05
    assert [name for name, status in Rules().settle(many).items() if status == "wrong"] == ["a", "b", "c"]
    assert Rules().settle(alone)["a"] == "open"
