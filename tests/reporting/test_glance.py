"""The answers at the top of the report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from anomend.reporting.glance import key_answers, subject
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.rates import PromptRates
from anomend.statistics.rate import Rate


def answers(inputs: ReportInputs) -> list[str]:
    return [key.answer for key in key_answers(inputs)]


def test_a_corrected_run_in_numbers(complete: ReportInputs) -> None:
    yes, by_how_much, how_sure, elsewhere, changed, spent, again = answers(complete)
    assert yes == "Yes: each of the 8 clauses of the verdict passed. Decided by the detector."
    assert "80.0% of the base" in by_how_much and "20.0% of the tuned" in by_how_much
    assert by_how_much.endswith("-60.0 points.")
    assert how_sure.startswith("95% interval of the change -70.0 to -50.0 points, p = 0.0003, from 640 pairs")
    assert (
        "Held-out prompts: 2.0% anomalous before, 3.0% after (+1.0 points, interval -1.0 to +3.0 points)" in elsewhere
    )
    assert "Worse: Diversity." in elsewhere
    assert "Changed, which is neither good nor bad by itself: SSIM within the set." in elsewhere
    assert changed.startswith("A LoRA of rank 8 on mini, by DreamBooth: 60 steps on 18 images, with 128 right")
    assert changed.endswith("the weights are those of step 40.")
    assert spent == "0.00 USD, on images and judges together."
    assert "make repro" in again and "python 3.11" in again


def test_few_prompts_are_no_sample_of_prompts(inputs: ReportInputs) -> None:
    assert "not about other prompts" not in answers(inputs)[2]
    few = {**inputs.compare, "anomaly_rate_target": inputs.compare["anomaly_rate_target"] | {"clusters": 2}}
    assert "new seeds of these 2 prompts, not about other prompts" in answers(replace(inputs, compare=few))[2]


def test_a_loss_of_diversity_on_held_out_prompts_is_named(inputs: ReportInputs) -> None:
    assert "On the held-out prompts:" not in answers(inputs)[3]
    loss = inputs.compare["diversity"] | {"ratio": 0.8, "ratio_ci_low": 0.75, "ratio_ci_high": 0.85}
    elsewhere = answers(replace(inputs, compare={**inputs.compare, "diversity_held_out": loss}))[3]
    assert "On the held-out prompts: 0.800 times (0.750 to 0.850)." in elsewhere
    assert "Diversity, held-out prompts" in elsewhere


def test_the_held_out_prompt_that_rose_most_is_named(inputs: ReportInputs) -> None:
    def rates(prompt: str, group: str, base: int, tuned: int) -> PromptRates:
        return PromptRates(prompt, group, Rate.of(base, 64), Rate.of(tuned, 64))

    prompts = [rates("a", "target", 50, 64), rates("b", "held_out", 8, 9), rates("c", "held_out", 0, 8)]
    assert "The prompt that rose most: c, 0.0% to 12.5%." in key_answers(inputs, prompts)[3].answer
    none = [PromptRates("d", "held_out", None, Rate.of(1, 1)), rates("e", "held_out", 3, 2)]
    assert "rose most" not in key_answers(inputs, none)[3].answer


def test_what_training_preserves_and_what_it_never_saw_are_told_apart(inputs: ReportInputs) -> None:
    def part(base: float, tuned: float, clusters: int) -> dict[str, Any]:
        return {"base": base, "tuned": tuned, "delta": tuned - base, "clusters": clusters, "better": "lower"}

    preserved, unseen = "anomaly_rate_held_out_preserved", "anomaly_rate_held_out_unseen"
    parts = {preserved: part(0.025, 0.05, 3), unseen: part(0.1, 0.2, 5)}
    elsewhere = answers(replace(inputs, compare=inputs.compare | parts))[3]
    assert "3 of the 8 held-out prompts have class images" in elsewhere
    assert "preserves them: 2.5% anomalous before, 5.0% after" in elsewhere
    assert "The others, which training never saw: 10.0% anomalous before, 20.0% after." in elsewhere
    none = {preserved: part(0, 0, 0) | {"base": None, "tuned": None, "delta": None, "reason": "none"}}
    assert "class images, by which" not in answers(replace(inputs, compare=inputs.compare | parts | none))[3]


def test_the_miniature_is_called_what_it_is(inputs: ReportInputs) -> None:
    mini = replace(inputs, base_model={"name": "mini"}, parameters={"profile": "mini", "base": {"resolution": 64}})
    assert subject(mini).startswith("Profile mini: images of 64 px by the base model mini, the miniature: drawn people")
    other = replace(mini, base_model={"name": "sd3-medium"}, parameters={"profile": "paper"})
    assert subject(other) == "Profile paper: images by the base model sd3-medium."


def test_other_verdicts_and_missing_metrics(inputs: ReportInputs) -> None:
    def verdict(word: str, *outcomes: bool | None) -> dict[str, Any]:
        clauses = {str(i): {"passed": outcome} for i, outcome in enumerate(outcomes)}
        return {"verdict": word, "reasons": [], "clauses": clauses}

    failed = replace(inputs, verdict=verdict("not_corrected", True, False, None))
    assert answers(failed)[0] == "No: 1 of 3 clauses failed. Decided by the detector."
    unsettled = replace(inputs, verdict=verdict("inconclusive", True, None), compare={}, train=None, collect=None)
    undecided, by_how_much, _, elsewhere, changed, spent, _ = answers(unsettled)
    assert undecided == "Undecided: no clause failed, and the metrics do not settle 1 of 2. Decided by the detector."
    assert by_how_much == "Not known: n/a (not measured)."
    assert "Not known" in elsewhere and "None" not in "".join(answers(unsettled))
    assert changed == spent == "Not recorded."


def test_paid_judges_are_part_of_what_was_spent(inputs: ReportInputs) -> None:
    paid = replace(inputs, judge={"openai": {"spend_usd": 1.25}, "anatomy": {"pairs": 3}, "provenance": {}})
    assert answers(paid)[5].startswith("1.25 USD")


def test_a_tuned_model_that_is_not_just_a_lora_is_named_at_the_top(inputs: ReportInputs) -> None:
    words = "The tuned model is the base without a LoRA."
    assert words not in subject(inputs)
    sampled = replace(inputs, sampled={"images": 480, "tuned_model": words})
    assert subject(sampled).endswith(words) and "also sampled in another way" in answers(sampled)[4]
    parameters = inputs.parameters | {"train": inputs.parameters["train"] | {"method": "none"}}
    untrained = answers(replace(sampled, parameters=parameters, train={"lora_sha256": None, "steps": 0}))[4]
    assert untrained == "Nothing was trained: the base is sampled in another way, as the sentences above say."
