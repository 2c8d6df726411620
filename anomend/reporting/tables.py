"""The tables that show whether the correction worked, as rows of text that both templates print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.reporting.formatting import (
    Unit,
    change_text,
    interval_text,
    metric_text,
    number_text,
    p_text,
    reason_for,
    reasons_once,
)
from anomend.reporting.inputs import Metrics
from anomend.reporting.measures import (
    caution_of,
    confidence_level,
    direction,
    is_share,
    measure_label,
    measures_of,
    reading,
)
from anomend.reporting.rates import PromptRates
from anomend.statistics.rate import Rate

OUTCOMES = {True: "✓ met", False: "✗ not met", None: "? not settled"}
RATE = "anomaly_rate_"
"""How the names of anomaly rates begin, before the group of prompts."""
PAIR_COUNTS = ("both", "only_base", "only_tuned", "neither")
NONE = "none"
GROUP_WORDS = {"target": "Target prompts", "held_out": "Held-out prompts", "siblings": "Siblings"}
"""Groups of prompts in words."""


@dataclass(frozen=True)
class Table:
    """A table of text; the first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def compare_table(compare: Metrics, words: ModelWords = BASE_AND_TUNED) -> Table:
    """Every measure on base and tuned images, with interval, p, n and the direction that is better."""
    rows: list[tuple[str, ...]] = []
    methods: dict[str, list[str]] = {}
    corrected = any(measure.get("p_holm") is not None for _, measure in measures_of(compare))
    for name, measure in measures_of(compare):
        share = is_share(name)
        unit: Unit = "rate" if share else "number"
        change: Unit = "points" if share else "signed"
        values = [
            metric_text(measure, "base", unit),
            metric_text(measure, "tuned", unit),
            change_text(measure) if share else metric_text(measure, "delta", change),
            interval_text(measure, change),
            metric_text(measure, "p", "p"),
        ]
        if corrected:
            reason = reason_for(measure, "p_holm") or "not among the tests"
            values.append(number_text(measure.get("p_holm"), "p", reason))
        size = metric_text(measure, "n", "count")
        if measure.get("clusters") is not None:
            size += f" in {metric_text(measure, 'clusters', 'count')} prompts"
        rows.append((measure_label(name), *reasons_once(values), size, f"{reading(measure)} ({direction(measure)})"))
        if measure.get("method"):
            methods.setdefault(measure["method"], []).append(measure_label(name))
    notes = ["p by Holm is adjusted for all tests of this table."] if corrected else []
    notes += [f"{', '.join(names)}: {method}." for method, names in methods.items()]
    p_columns = ("p", "p by Holm") if corrected else ("p",)
    span = f"{confidence_level(compare)} interval"
    columns = (
        "Measure",
        *words.heads(),
        "Change",
        span,
        *p_columns,
        "Pairs",
        "Reading",
    )
    return Table(columns, tuple(rows), " ".join(notes))


def prompt_table(rates: Sequence[PromptRates], words: ModelWords = BASE_AND_TUNED) -> Table:
    """Anomaly rates prompt by prompt."""
    rows = [(rate.prompt, rate.group.replace("_", "-"), _rate(rate.base), _rate(rate.tuned)) for rate in rates]
    note = "Anomalous images of all images of the prompt, with the 95% Wilson interval."
    return Table(("Prompt", "Group", *words.heads()), tuple(rows), note)


def set_table(measure_base: Metrics, measure_tuned: Metrics, words: ModelWords = BASE_AND_TUNED) -> Table:
    """Every metric of the two sets by its dotted name, except the anomaly rates, which have their own tables."""
    base, tuned = dict(metrics_by_name(measure_base)), dict(metrics_by_name(measure_tuned))
    names = [name for name in {**base, **tuned} if not name.startswith("anomaly_")]
    rows = [
        (name, *reasons_once([metric_text(metrics.get(name, {}), name.split(".")[-1]) for metrics in (base, tuned)]))
        for name in names
    ]
    columns = ("Metric", *words.heads())
    return Table(columns, tuple(rows), "As in metrics/measure_base.json and measure_tuned.json.")


def metrics_by_name(metrics: Metrics, prefix: str = "") -> Iterator[tuple[str, Metrics]]:
    """The metrics of a file by dotted name, each with the object that holds it and, where it is null, its reason."""
    for key, value in metrics.items():
        if key == "provenance":
            continue
        if isinstance(value, Mapping):
            yield from metrics_by_name(value, f"{prefix}{key}.")
        elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            yield f"{prefix}{key}", metrics


def kind_table(compare: Metrics, words: ModelWords = BASE_AND_TUNED) -> Table | None:
    """Which anomalies there are by group of prompts, before and after; kinds that no image has are left out.

    Args:
        compare: content of metrics/compare.json, whose anomaly rates have the pairs of images by kind of anomaly
            (`kinds`: both, only_base, only_tuned, neither).
    """
    groups = {
        name.removeprefix(RATE): measure["kinds"]
        for name, measure in compare.items()
        if name.startswith(RATE) and isinstance(measure, Mapping) and measure.get("kinds")
    }
    names = list(dict.fromkeys(kind["name"] for kinds in groups.values() for kind in kinds))
    if not names:
        return None
    rows = []
    for name in names:
        cells = []
        for kinds in groups.values():
            counts = next((kind for kind in kinds if kind["name"] == name), None)
            cells.append(NONE if counts is None else _before_after(counts))
        if set(cells) != {NONE}:
            rows.append((name.replace("_", " "), *cells))
    sizes = {group: sum(kinds[0][key] for key in PAIR_COUNTS) for group, kinds in groups.items()}
    columns = [f"{GROUP_WORDS.get(group, group)} ({sizes[group]:,} pairs)" for group in groups]
    note = (
        f"Share of images with this kind, {words.full('base')} → {words.full('tuned')}; an image can have several. "
        "▲: it rose."
    )
    return Table(("Kind of anomaly", *columns), tuple(sorted(rows)), note)


def _before_after(counts: Mapping[str, int]) -> str:
    pairs = sum(counts[key] for key in PAIR_COUNTS)
    before, after = (counts["both"] + counts[f"only_{model}"] for model in ("base", "tuned"))
    if not before and not after:
        return NONE
    rose = " ▲" if after > before else ""
    return f"{number_text(before / pairs, 'rate')} → {number_text(after / pairs, 'rate')}{rose}"


def headline(verdict: Metrics, compare: Metrics) -> tuple[str, ...]:
    """The answer in a few sentences: by how much, how sure, and at what cost elsewhere."""
    sentences = []
    for name, prompts in (("anomaly_rate_target", "target"), ("anomaly_rate_held_out", "held-out")):
        measure = compare.get(name) or {"reason": "not measured"}
        base, tuned = metric_text(measure, "base", "rate"), metric_text(measure, "tuned", "rate")
        change = change_text(measure)
        sentences.append(
            f"Anomalous images on the {prompts} prompts: {base} with the base model, {tuned} with the tuned one "
            f"(change {change}, interval {interval_text(measure, 'points')}, {p_text(measure)})."
        )
    if caution := caution_of(compare.get("anomaly_rate_target") or {}):
        sentences.append(caution)
    reason = reason_for(compare.get("diversity_right") or {}, "ratio") or "not measured"
    ratio = number_text(verdict.get("right_diversity_ratio"), "ratio", reason)
    copies = number_text(verdict.get("copy_rate"), "rate", "not measured")
    sentences.append(f"Diversity of the right images, tuned over base: {ratio}. Copied training images: {copies}.")
    return tuple(sentences)


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return number_text(None, "rate", "no detector ran on images of this prompt")
    ends = f"{100 * rate.ci_low:.1f} to {100 * rate.ci_high:.1f}%"
    return f"{number_text(rate.value, 'rate')} ({rate.k} of {rate.n}; {ends})"
