"""The first screen of the report: the verdict in a sentence, who decided and how surely, and four numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomend.measuring.rates import read_rates
from anomend.project.model_words import BASE_AND_TUNED, ModelWords, capital
from anomend.reporting.clauses import CLAUSES, bound_text, figure_text, named, value_text
from anomend.reporting.formatting import change_text, interval_text, metric_text
from anomend.reporting.inputs import Metrics, ReportInputs
from anomend.reporting.measures import caution_of, confidence_level
from anomend.statistics.rate import Rate
from anomend.verdict.clauses import confidence_text
from anomend.verdict.headline import deciding_rates

VERDICTS = {"corrected": "✓ Corrected", "not_corrected": "✗ Not corrected", "inconclusive": "? Inconclusive"}
"""Each with a sign, so that colour is not all that tells them apart."""
ON_TARGET = ("target_drop", "target_rate", "worst_target_prompt")
"""The clauses that ask whether the fault is gone; the others ask what that cost."""
MOST_CLAUSES = 2
"""That the sentence names; the table below has all."""
QUICK = "A quick run of few images and steps proves nothing, whatever it says: make a full run (level=full)."
DECIDES = {
    "detector": "the detector '{detector}'",
    "people": "people's labels",
    "people+machine": "people's labels with the help of the detector '{detector}'",
}
"""By `verdict.evidence`."""


@dataclass(frozen=True)
class Number:
    """One of the numbers on the first screen."""

    label: str
    value: str
    interval: str
    """With its confidence, or why there is none."""


def verdict_sentence(inputs: ReportInputs) -> str:
    """The verdict in one sentence of plain English."""
    verdict, words = inputs.verdict, inputs.words
    if verdict.get("exploratory"):
        return QUICK
    target = rates_of(inputs, "target")
    if verdict["verdict"] == "corrected":
        before, after = metric_text(target, "base", "rate"), metric_text(target, "tuned", "rate")
        return (
            f"{capital(words.base_model)} draws {before} of the target images wrong, {words.tuned_model} {after}, and "
            "what that cost elsewhere is within the limits that were set before the run."
        )
    failed, unsettled = (_clauses(inputs, passed) for passed in (False, None))
    if failed:
        gone = all((verdict["clauses"].get(name) or {}).get("passed") for name in ON_TARGET)
        fault = "The fault is gone from the target prompts, but " if gone else ""
        said = "One requirement is" if len(failed) == 1 else f"{len(failed)} requirements are"
        said = fault + (said[0].lower() + said[1:] if fault else said)
        return f"{said} not met: that {'; that '.join(failed[:MOST_CLAUSES])}{_further(failed)}."
    if unsettled:
        return f"It is not settled whether {'; nor whether '.join(unsettled[:MOST_CLAUSES])}{_further(unsettled)}."
    return "No clause was checked."


def _further(clauses: list[str]) -> str:
    further = len(clauses) - MOST_CLAUSES
    return f"; and {further} more, below" if further > 0 else ""


def _clauses(inputs: ReportInputs, passed: bool | None) -> list[str]:
    """What the clauses with an outcome ask for, with their figures."""
    clauses = {name: clause for name, clause in inputs.verdict["clauses"].items() if clause["passed"] is passed}
    changes, level = printed_changes(inputs), _level(inputs)
    return [
        f"{requirement(name, each, inputs.words)} ({measured(name, each, changes, level)})"
        for name, each in clauses.items()
    ]


def _level(inputs: ReportInputs) -> float:
    return float((inputs.verdict.get("provenance") or {}).get("thresholds", {}).get("level", 0.95))


def printed_changes(inputs: ReportInputs) -> dict[str, str]:
    """The changes that clauses are about, as the first screen prints them."""
    groups = {"target_drop": "target", "held_out": "held_out"}
    rates = {name: rates_of(inputs, group) for name, group in groups.items()}
    return {name: change_text(each) for name, each in rates.items() if each.get("delta") is not None}


def requirement(name: str, clause: Mapping[str, Any], words: ModelWords = BASE_AND_TUNED) -> str:
    """What a clause asks for, as half a sentence."""
    known = CLAUSES.get(name)
    return (
        known.asks.format(value_text(name, clause["threshold"], size=True), **named(words))
        if known
        else name.replace("_", " ")
    )


def measured(name: str, clause: Mapping[str, Any], changes: Mapping[str, str], level: float) -> str:
    """The value of a clause, and its one-sided bound: the truth at worst, or at best where the clause fails."""
    if clause.get("figure") is None:
        return str(clause.get("reason") or "not measured").rstrip(".")
    words = f"measured: {figure_text(name, clause, changes)}"
    _, _, bound = bound_text(name, clause).partition(" ")[2].partition(" ")
    side, confidence = "best" if clause["passed"] is False else "worst", clause.get("confidence", level)
    return f"{words}, at {side} {bound} with {confidence_text(confidence)} confidence" if bound else words


def evidence_sentences(inputs: ReportInputs) -> tuple[str, ...]:
    """Who decided, at which level, whether it was confirmed, and what the verdict is about."""
    verdict, params = inputs.verdict, inputs.parameters
    detector = str((params.get("measure") or {}).get("detector", "")).replace("_", " ")
    who = DECIDES.get(str(verdict.get("evidence", "detector")), "").format(detector=detector).strip()
    level = _level(inputs)
    counts = [clause["passed"] for clause in verdict["clauses"].values()]
    checks = f"{counts.count(True)} of {len(counts)} requirements are shown to be met"
    failed, unsettled = counts.count(False), counts.count(None)
    checks += f", {failed} not to be met" if failed else ""
    checks += f", {unsettled} {'is' if unsettled == 1 else 'are'} not settled" if unsettled else ""
    sentences = [f"Decided by {who}, each requirement with {confidence_text(level)} confidence: {checks}."]
    if verdict.get("evidence", "detector") == "detector":
        sentences.append("The detector's own errors are not counted.")
    if verdict.get("confirmation"):
        sentences.append(f"This is confirmation {verdict['confirmation']}, at seeds that nothing had looked at.")
    else:
        sentences.append(inputs.everyday)
    if caution := caution_of(inputs.compare.get("anomaly_rate_target") or {}):
        sentences.append(caution)
    return tuple(sentences)


def rates_of(inputs: ReportInputs, group: str) -> Mapping[str, Any]:
    """The anomaly rates of a group of prompts that the verdict rests on; a reason where there are none."""
    rates = deciding_rates(
        f"anomaly_rate_{group}", verdict=inputs.verdict, compare=inputs.compare, people=inputs.people
    )
    return rates or {"reason": "not measured"}


def numbers(inputs: ReportInputs) -> tuple[Number, ...]:
    """Target images that are wrong before and after, the change, and the change elsewhere."""
    target, held_out = rates_of(inputs, "target"), rates_of(inputs, "held_out")
    level, words = confidence_level(inputs.compare), inputs.words
    before_word, after_word = ("before", "after") if words == BASE_AND_TUNED else ("with A", "with B")
    size = metric_text(target, "pairs" if "pairs" in target else "n", "count")
    before, after = (metric_text(held_out, model, "rate") for model in ("base", "tuned"))
    return (
        Number(
            f"Wrong {before_word} ({words.full('base')})",
            metric_text(target, "base", "rate"),
            _of_model(inputs, "base"),
        ),
        Number(
            f"Wrong {after_word} ({words.full('tuned')})",
            metric_text(target, "tuned", "rate"),
            _of_model(inputs, "tuned"),
        ),
        Number(
            "Change", change_text(target), f"{level} interval {interval_text(target, 'points')}; {size} pairs of images"
        ),
        Number(
            "Change on held-out prompts",
            change_text(held_out),
            f"{level} interval {interval_text(held_out, 'points')}; {before} {before_word}, {after} {after_word}",
        ),
    )


def _of_model(inputs: ReportInputs, model: str) -> str:
    """The interval of a model's rate on the target prompts."""
    if inputs.verdict.get("evidence", "detector") != "detector":
        return "by people's labels, corrected for the raters' errors"
    measure: Metrics = inputs.measure_base if model == "base" else inputs.measure_tuned
    rates = [each.rate for each in read_rates(measure) if (each.scope, each.name) == ("group", "target")]
    return _wilson(rates[0]) if rates and rates[0] else "no interval"


def _wilson(rate: Rate) -> str:
    return f"95% interval {100 * rate.ci_low:.1f} to {100 * rate.ci_high:.1f}%; {rate.k:,} of {rate.n:,}"
