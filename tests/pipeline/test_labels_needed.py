"""How many labels a verdict takes: against the exact tests of the clauses, and in words."""

from __future__ import annotations

import numpy as np
import pytest

from anomend.params.params import Params
from anomend.params.profiles import resolve
from anomend.pipeline.labels_needed import NOISE, PairsPerPrompt, label_plan, pairs_needed
from anomend.statistics.one_sided import rate_tails
from anomend.statistics.paired_rise import PairCounts, rise_tails
from tests.conftest import ROOT


def params(**sections: dict) -> Params:
    return resolve({"profile": "mini", "verdict": {"evidence": "people"}, **sections}, ROOT / "profiles")


def test_the_planned_pairs_have_the_stated_power_in_the_exact_tests() -> None:
    """With perfect labels, and so without the factor for noise: 80%, less what the discreteness of few pairs takes."""
    rng, settings = np.random.default_rng(0), params()
    needed = pairs_needed(settings)
    targets, held_out = len(settings.prompts.target), len(settings.prompts.held_out)
    n = round(needed.target * targets / NOISE)
    wrong = rng.binomial(n, 0.075, size=2000)
    assert np.mean([rate_tails(int(k), n, 0.15).beyond <= 0.05 for k in wrong]) > 0.75
    n = round(needed.held_out * held_out / NOISE)
    counts = rng.multinomial(n, [0.02, 0.02, 0.02, 0.94], size=500)
    shown = [rise_tails(PairCounts(*map(int, row)), 0.05).beyond <= 0.025 for row in counts]
    assert np.mean(shown) > 0.75


def test_a_stricter_limit_takes_more_labels() -> None:
    usual = pairs_needed(params())
    strict = pairs_needed(params(verdict={"evidence": "people", "max_kind_rise": 0.05}))
    assert strict.target > usual.target and strict.held_out == usual.held_out
    assert pairs_needed(params(verdict={"evidence": "people", "held_out_margin": 0.02})).held_out > usual.held_out


def test_the_time_is_labels_times_their_median() -> None:
    settings = params(label={"pairs_per_prompt": 30, "held_out_pairs_per_prompt": 10, "raters_per_picture": 2})
    prompts = settings.prompts
    labels = 2 * 2 * (30 * len(prompts.target) + 10 * (len(prompts.held_out) + len(prompts.siblings)))
    assert PairsPerPrompt(30, 10).labels(settings) == labels
    lines = label_plan(settings, 3000)
    assert f"{labels:,} labels, {labels * 3 / 3600:.1f} hours in all" in lines[0]
    assert "3.0 s per label, the median so far" in lines[2]
    assert "6.0 s per label, an assumption" in label_plan(settings, None)[2]
    assert any(line.startswith("to label as many: label.pairs_per_prompt=") for line in lines)


@pytest.mark.parametrize("evidence, says", [("detector", 0), ("people", 1), ("people+machine", 1)])
def test_it_is_said_where_people_decide(evidence: str, says: int) -> None:
    assert bool(label_plan(params(verdict={"evidence": evidence}), None)) == bool(says)
