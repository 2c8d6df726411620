"""Clauses that are looked at while images come in, and the rounds in which these are sampled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anomend.statistics.one_sided import rate_tails
from anomend.statistics.paired_rise import PairCounts, rise_tails
from anomend.statistics.sequential import spent_levels
from anomend.verdict.claims import Thresholds
from anomend.verdict.decision import reach_verdict
from anomend.verdict.evidence import read_findings
from anomend.verdict.looks import LookPlan, Looks
from anomend.verdict.rounds import Seeds, images_of, sample_in_rounds, sampled_of
from tests.verdict.made import THRESHOLDS, Counts, change, compare, measured

PLAN = LookPlan(shares=(0.25, 0.5, 1.0), target_seeds=160, held_out_seeds=160)
PROMPTS = {"target": ["grass", "street"], "held_out": ["beach", "snow"]}
Draw = Callable[[str, int], Counts]
"""Prompt and number of seeds -> counts of pairs."""


def counted(seeds: Seeds, draw: Draw, **changes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics of these seeds: good ones, except where `draw` says otherwise."""
    target, held_out = ({prompt: draw(prompt, n) for prompt, n in seeds[group].items()} for group in PROMPTS)
    n = sum(seeds["target"].values())
    kinds: dict[str, Counts] = {"extra_leg": (0, n // 2, 0, n - n // 2)}
    of_target = change(target, kinds) if n else {}
    metrics = compare(anomaly_rate_target=of_target, anomaly_rate_held_out=change(held_out), **changes)
    return metrics, measured(0, n)


def good(prompt: str, n: int) -> Counts:
    if prompt in PROMPTS["target"]:
        return 0, n - n // 10, 0, n // 10
    return 0, 0, 0, n


def rounds_of(draw: Draw, plan: LookPlan = PLAN, thresholds: Thresholds = THRESHOLDS) -> tuple[Any, list[Seeds], Looks]:
    asked: list[Seeds] = []

    def measure(seeds: Seeds) -> tuple[dict[str, Any], dict[str, Any]]:
        asked.append({group: dict(prompts) for group, prompts in seeds.items()})
        return counted(seeds, draw)

    looks = Looks(thresholds, plan)
    return sample_in_rounds(looks, PROMPTS, measure), asked, looks


def test_one_look_samples_nothing_and_has_the_whole_error() -> None:
    plan = LookPlan(target_seeds=160, held_out_seeds=80)
    rounds, asked, _ = rounds_of(good, plan)
    assert not asked and images_of(rounds.seeds) == 2 * (2 * 160 + 2 * 80) and rounds.stopped == "last look"
    assert plan.level("target", 1, 0.05) == 0.05 and sampled_of(rounds.as_metrics(plan), plan) is None
    looks = Looks(THRESHOLDS, plan)
    looks.take(read_findings(compare(), measured()))
    assert looks.fail_level("held_out") == pytest.approx(0.05, abs=1e-12)


def test_a_perfect_correction_stops_as_soon_as_each_clause_can_be_shown() -> None:
    """80 pairs without an anomaly exclude no rise of 5 points at the first look's level, 160 do at the second's."""
    level = spent_levels([0.25, 0.5, 1], 0.025)
    assert rise_tails(PairCounts(0, 0, 0, 80), 0.05).beyond > level[0]
    assert rise_tails(PairCounts(0, 0, 0, 160), 0.05).beyond < level[1]
    rounds, asked, looks = rounds_of(good)
    assert looks.outcome() == "corrected" and rounds.stopped == "every clause is shown" and rounds.look == 2
    # The target clauses were shown at the first look, so only the held-out prompts went on.
    assert asked == [
        {"target": {"grass": 40, "street": 40}, "held_out": {"beach": 40, "snow": 40}},
        {"target": {"grass": 40, "street": 40}, "held_out": {"beach": 80, "snow": 80}},
    ]
    assert images_of(rounds.seeds) == 2 * (80 + 160)


def test_a_failed_clause_ends_sampling_at_once() -> None:
    rounds, asked, looks = rounds_of(lambda _, n: (n - n // 5, 0, 0, n // 5))
    assert looks.outcome() == "not_corrected" and rounds.stopped == "a clause failed"
    assert len(asked) == rounds.look == 1


def test_only_the_prompt_that_a_clause_still_needs_is_sampled_further() -> None:
    """One held-out prompt rose by a twentieth: that this is no 15 points is shown later than everything else."""

    def draw(prompt: str, n: int) -> Counts:
        return (0, 0, n // 20, n - n // 20) if prompt == "snow" else good(prompt, n)

    rounds, _, looks = rounds_of(draw, thresholds=replace(THRESHOLDS, held_out_margin=0.3))
    assert rounds.seeds == {"target": {"grass": 40, "street": 40}, "held_out": {"beach": 40, "snow": 80}}
    assert looks.outcome() == "corrected" and rounds.look == 2


def test_a_clause_that_was_shown_stays_shown_and_says_when() -> None:
    looks = Looks(THRESHOLDS, PLAN)
    seeds = {"target": {"grass": 40, "street": 40}, "held_out": {"beach": 20, "snow": 20}}
    looks.take(read_findings(*counted(seeds, good)))
    first = looks.clauses()["target_rate"]
    assert first.passed and first.p_pass == rate_tails(0, 80, 0.15).beyond
    assert first.sentence.endswith("Settled at look 1 of 3, with 40 of up to 160 seeds per prompt.")
    # Then four in ten target images are wrong.
    seeds = {"target": {"grass": 80, "street": 80}, "held_out": {"beach": 40, "snow": 40}}
    bad = counted(
        seeds,
        lambda prompt, n: (2 * n // 5, n // 2, 0, n - 2 * n // 5 - n // 2) if prompt == "grass" else good(prompt, n),
    )
    looks.take(read_findings(*bad))
    assert looks.clauses()["target_rate"] == first


def test_a_prompt_that_was_shown_stays_shown_at_the_level_of_its_look() -> None:
    """The beach is shown at the first look. At the second the snow is too, and the beach is worse than it was."""
    looks = Looks(THRESHOLDS, PLAN)

    def draw(prompt: str, n: int) -> Counts:
        worse = {("snow", 40): 4, ("beach", 80): 9}.get((prompt, n), 0)
        return (0, 0, worse, n - worse) if prompt in PROMPTS["held_out"] else good(prompt, n)

    for n in (40, 80):
        seeds = {"target": {"grass": 40, "street": 40}, "held_out": {"beach": n, "snow": n}}
        looks.take(read_findings(*counted(seeds, draw)))
    clause = looks.clauses()["worst_held_out_prompt"]
    assert rise_tails(PairCounts(0, 0, 9, 71), 0.15).beyond > PLAN.level("held_out", 2, 0.05)
    assert clause.passed and clause.p_pass == rise_tails(PairCounts(0, 0, 0, 40), 0.15).beyond
    assert "'beach'" in clause.sentence and clause.bound is not None and clause.bound < 0.15
    level = PLAN.level("held_out", 1, 0.05)
    assert f"with {math.floor(1e4 * (1 - level)) / 100:g}% confidence" in clause.sentence


def test_a_clause_fails_at_the_level_of_its_look_and_not_before() -> None:
    looks = Looks(THRESHOLDS, PLAN)
    seeds = {"target": {"grass": 40, "street": 40}, "held_out": {"beach": 20, "snow": 20}}
    looks.take(read_findings(*counted(seeds, good)))
    assert looks.fail_level("target_rate") == pytest.approx(8 * spent_levels([0.25, 0.5, 1], 0.05 / 8)[0], rel=1e-9)


def test_without_a_detector_the_last_look_is_reached_and_nothing_is_decided() -> None:
    nothing = {"base": None, "tuned": None, "reason": "no detector ran"}
    looks = Looks(THRESHOLDS, PLAN)
    metrics = compare(anomaly_rate_target=nothing, anomaly_rate_held_out=nothing)
    rounds = sample_in_rounds(looks, PROMPTS, lambda _: (metrics, measured()))
    assert rounds.look == 3 and looks.outcome() == "inconclusive" and rounds.stopped == "last look"


def test_the_verdict_replays_the_looks() -> None:
    """From what looks.json has of the earlier ones, and the whole run's own metrics as the last."""
    rounds, _, looks = rounds_of(good)
    last = counted(rounds.seeds, good)
    taken = rounds.as_metrics(PLAN)
    earlier = [read_findings(each["compare"], each["measure_tuned"]) for each in taken["earlier"]]
    verdict = reach_verdict(*last, THRESHOLDS, plan=PLAN, earlier=earlier, sampled=sampled_of(taken, PLAN))
    assert verdict.outcome == looks.outcome() == "corrected" and verdict.clauses == looks.clauses()
    assert verdict.looks == {
        "look": 2,
        "planned": 3,
        "error_spent": pytest.approx(0.05 * 0.5**1.3),
        "images": 480,
        "images_planned": 1280,
    }
    assert "look 2 of 3, with 480 of up to 1,280 images" in verdict.scope[3]
