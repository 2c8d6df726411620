"""What a run changed and cost, and what it did elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.rates import PromptRates
from anomend.reporting.render import render_report
from anomend.reporting.run_facts import absent, elsewhere, facts, subject
from anomend.statistics.rate import Rate


def told(inputs: ReportInputs, *rates: PromptRates) -> str:
    return " ".join(elsewhere(inputs, rates))


def fact(inputs: ReportInputs, name: str) -> str:
    return {row[0]: row[1] for row in facts(inputs).rows}[name]


def test_what_was_changed_and_spent(complete: ReportInputs) -> None:
    changed = fact(complete, "Correction")
    assert changed.startswith("A LoRA of rank 8 on mini, by DreamBooth: 60 steps on 18 images, with 128 right")
    assert changed.endswith("the weights are those of step 40.")
    assert fact(complete, "Spent") == "0.00 USD, on images and judges together."
    assert "python 3.11" in fact(complete, "Versions")
    paid = replace(complete, judge={"openai": {"spend_usd": 1.25}, "anatomy": {"pairs": 3}, "provenance": {}})
    assert fact(paid, "Spent").startswith("1.25 USD")
    bare = replace(complete, train=None, collect=None, judge=None)
    assert fact(bare, "Correction") == fact(bare, "Spent") == "Not recorded."


def test_what_is_worse_is_named(inputs: ReportInputs) -> None:
    assert "Worse: Diversity of all images, wrong ones too." in told(inputs) and "held-out prompts:" not in told(inputs)
    loss = inputs.compare["diversity"] | {"ratio": 0.8, "ratio_ci_low": 0.75, "ratio_ci_high": 0.85}
    worse = told(replace(inputs, compare={**inputs.compare, "diversity_held_out": loss}))
    assert "Images of the held-out prompts: 0.80 times (interval 0.75 to 0.85)." in worse
    assert "Diversity of all images, wrong ones too, held-out prompts" in worse


def test_the_held_out_prompt_that_rose_most_is_named(inputs: ReportInputs) -> None:
    def rates(prompt: str, group: str, base: int, tuned: int) -> PromptRates:
        return PromptRates(prompt, group, Rate.of(base, 64), Rate.of(tuned, 64))

    prompts = [rates("a", "target", 50, 64), rates("b", "held_out", 8, 9), rates("c", "held_out", 0, 8)]
    assert "The held-out prompt that rose most: c, from 0 of 64 images wrong to 8 of 64." in told(inputs, *prompts)
    none = [PromptRates("d", "held_out", None, Rate.of(1, 1)), rates("e", "held_out", 3, 2)]
    assert "rose most" not in told(inputs, *none)


def test_other_groups_of_prompts_have_a_sentence(inputs: ReportInputs) -> None:
    siblings = {"base": 0.5, "tuned": 0.1, "delta": -0.4, "ci_low": -0.5, "ci_high": -0.3, "better": "lower"}
    compare = {**inputs.compare, "anomaly_rate_siblings": siblings}
    words = (
        "Siblings of the target prompts, which nothing else uses: 50.0% wrong before, 10.0% after (-40.0 points, "
        "interval -50.0 to -30.0 points)."
    )
    assert words in told(replace(inputs, compare=compare)) and "Siblings" not in told(inputs)


def test_what_training_preserves_and_what_it_never_saw_are_told_apart(inputs: ReportInputs) -> None:
    def part(base: float, tuned: float, clusters: int) -> dict[str, Any]:
        return {"base": base, "tuned": tuned, "delta": tuned - base, "clusters": clusters, "better": "lower"}

    preserved, unseen = "anomaly_rate_held_out_preserved", "anomaly_rate_held_out_unseen"
    parts = {preserved: part(0.025, 0.05, 3), unseen: part(0.1, 0.2, 5)}
    words = told(replace(inputs, compare={**inputs.compare, **parts}))
    assert "3 of the 8 held-out prompts have class images" in words
    assert "preserves them: 2.5% wrong before, 5.0% after" in words
    assert "The others, which training never saw: 10.0% wrong before, 20.0% after." in words


def test_the_miniature_is_called_what_it_is(inputs: ReportInputs) -> None:
    mini = replace(inputs, base_model={"name": "mini"}, parameters={"profile": "mini", "base": {"resolution": 64}})
    assert subject(mini).startswith("Profile mini: images of 64 px by the base model mini, the miniature: drawn people")
    other = replace(mini, base_model={"name": "sd3-medium"}, parameters={"profile": "paper"})
    assert subject(other) == "Profile paper: images by the base model sd3-medium."


def test_a_tuned_model_that_is_not_just_a_lora_is_named_at_the_top(inputs: ReportInputs) -> None:
    words = "The tuned model is the base without a LoRA."
    assert words not in subject(inputs)
    sampled = replace(inputs, sampled={"images": 480, "tuned_model": words})
    assert subject(sampled).endswith(words) and "also sampled in another way" in fact(sampled, "Correction")
    parameters = {**inputs.parameters, "train": inputs.parameters["train"] | {"method": "none"}}
    untrained = replace(sampled, parameters=parameters, train={"lora_sha256": None, "steps": 0})
    assert fact(untrained, "Correction").startswith("Nothing was trained: the base is sampled in another way")


def test_two_loras_are_model_a_and_model_b(inputs: ReportInputs) -> None:
    both = replace(inputs, sampled={"names": {"base": "A", "tuned": "B"}})
    assert "as diverse as model A's" in told(both) and "before" not in told(both)
    markdown, page = render_report(both)
    assert "Model A draws 80.0% of the target images wrong, model B 20.0%" in markdown
    assert "Model B against model A. Profile" in page and '"models":["A","B"]' in page
    assert "the tuned model" not in markdown


def test_what_there_is_not_takes_one_line() -> None:
    nothing = absent(labels=None, survey=None, judges={}, agreement=None)
    assert nothing == "Not part of this run: people's labels, a survey, judges."
    checker = absent(labels={"labels": 1}, survey={"n": 3}, judges={"anatomy": {}}, agreement=None)
    assert checker == "The only judge is the detector itself, which is not a second opinion."
    assert absent(labels={"labels": 1}, survey={"n": 3}, judges={"openai": {}}, agreement=None) == ""
