"""The change of the anomaly rate from the base to the tuned model.

Its interval is that of the verdict's own tests, at new seeds of these prompts. The intervals of other measures are
about other prompts like these, too, where there are five or more (`resampling.bootstrap_counts`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Any

import pandas as pd

from anomend.comparing.effects import Effects, Resampling
from anomend.measuring.pairing import pair_by_prompt_and_seed
from anomend.measuring.rates import AnomalyRate, read_rates
from anomend.project.paths import MODELS
from anomend.statistics.effect import MIN_PAIRS, Effect, insufficient
from anomend.statistics.paired import paired_effect
from anomend.statistics.paired_rise import EXACT_PAIRS, PairCounts, rise_interval
from anomend.statistics.rate import Rate

Metrics = Mapping[str, Any]
COUNTS = tuple(field.name for field in fields(PairCounts))


def anomaly_effects(images: Mapping[str, pd.DataFrame], measured: Mapping[str, Metrics], how: Resampling) -> Effects:
    """The change of the anomaly rate on target and on held-out prompts.

    Args:
        images: by model (`base`, `tuned`), one row per image with `group`, `prompt`, `seed` and `anomalous`.
        measured: by model, the content of its metric file; both rates are read from it.
        how: level of the interval; the resampling is for other measures.

    Raises:
        ValueError: an image has no partner of its prompt and seed, or images and metric file contradict each other.
    """
    pairs = pair_by_prompt_and_seed(images["base"], images["tuned"], "anomalous", missing=True)
    rates = {model: read_rates(metrics) for model, metrics in measured.items()}
    return {f"anomaly_rate_{group}": _group_effect(group, pairs, rates, how) for group in ("target", "held_out")}


def _group_effect(group: str, pairs: pd.DataFrame, rates: Mapping[str, list[AnomalyRate]], how: Resampling) -> Effect:
    rows = pairs[pairs["group"] == group]
    base, tuned = (_rate_of(rates[model], group, rows[model]) for model in MODELS)
    if rows[["base", "tuned"]].isna().any(axis=None):
        reason = "no detector ran on some images: choose a measure.detector"
        return insufficient(len(rows), rows["prompt"].nunique(), better="lower", reason=reason)
    effect = _rise_effect(rows, how)
    if base and tuned:
        effect = replace(effect, base=base.value, tuned=tuned.value, delta=tuned.value - base.value)
    return effect


def _rise_effect(rows: pd.DataFrame, how: Resampling) -> Effect:
    """The change of the anomaly rate of pairs, with the interval of the verdict's tests."""
    values = rows["base"], rows["tuned"], list(rows["prompt"])
    if len(rows) < MIN_PAIRS:
        return paired_effect(*values, better="lower", **how)
    cells = _counted("", *(rows[model].astype(bool) for model in MODELS))
    low, high = rise_interval(PairCounts(**{name: cells[name] for name in COUNTS}), how["confidence"])
    test = f"paired score test inverted, exact up to {EXACT_PAIRS} pairs, for new seeds of these prompts"
    return paired_effect(*values, better="lower", interval=(low, high, test), **how)


def sibling_effect(
    images: Mapping[str, pd.DataFrame], measured: Mapping[str, Metrics], how: Resampling
) -> dict[str, dict[str, Any]]:
    """The change of the anomaly rate on the siblings of the target prompts, for information: no clause, and so no p.

    Args:
        images: by model, one row per image with `group`, `prompt`, `seed` and `anomalous`.
        measured: by model, the content of its metric file, which the rates are checked against.
        how: level of the interval; the resampling is for other measures.

    Returns:
        `anomaly_rate_siblings`; nothing where a run has no siblings.

    Raises:
        ValueError: images and metric file contradict each other.
    """
    pairs = pair_by_prompt_and_seed(images["base"], images["tuned"], "anomalous", missing=True)
    if not (pairs["group"] == "siblings").any():
        return {}
    effect = _group_effect("siblings", pairs, {model: read_rates(metrics) for model, metrics in measured.items()}, how)
    return {"anomaly_rate_siblings": replace(effect, p=None).as_dict()}


def held_out_parts(
    images: Mapping[str, pd.DataFrame], preserved: Collection[str], how: Resampling
) -> dict[str, dict[str, Any]]:
    """The change of the anomaly rate on held-out prompts that training preserves, and on those that it never saw.

    Both are parts of the measure `anomaly_rate_held_out`, so they have no p.

    Args:
        images: by model, one row per image with `group`, `prompt`, `seed` and `anomalous`.
        preserved: the held-out prompts of which there are class images.
        how: level of the interval; the resampling is for other measures.

    Returns:
        `anomaly_rate_held_out_preserved` and `anomaly_rate_held_out_unseen`.
    """
    pairs = pair_by_prompt_and_seed(images["base"], images["tuned"], "anomalous", missing=True)
    pairs = pairs[pairs["group"] == "held_out"]
    trained = pairs["prompt"].isin(set(preserved))
    parts: dict[str, dict[str, Any]] = {}
    for name, rows in (("preserved", pairs[trained]), ("unseen", pairs[~trained])):
        prompts = list(rows["prompt"])
        if rows.empty or rows[["base", "tuned"]].isna().any(axis=None):
            reason = "no detector ran on some images" if len(rows) else f"no held-out prompt is {name}"
            effect = insufficient(len(rows), len(set(prompts)), better="lower", reason=reason)
        else:
            effect = replace(_rise_effect(rows, how), p=None)
        parts[f"anomaly_rate_held_out_{name}"] = effect.as_dict()
    return parts


def pair_counts(images: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Counts of pairs by which of the two images is anomalous, for the verdict.

    Args:
        images: by model, one row per image with `group`, `prompt`, `seed`, `anomalous` and `anomalies`.

    Returns:
        By `anomaly_rate_<group>`: `prompts` and `kinds` of anomaly (those that an image has), each a list of `name`,
        `both`, `only_base`, `only_tuned` and `neither`. `dvc metrics diff` leaves lists out. Empty where no detector
        ran on some images.
    """
    pairs = pair_by_prompt_and_seed(images["base"], images["tuned"], "anomalous", missing=True)
    base, tuned = (images[model].assign(anomalies=images[model]["anomalies"].fillna("")) for model in MODELS)
    shown = pair_by_prompt_and_seed(base, tuned, "anomalies")
    counts: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for group in ("target", "held_out", "siblings"):
        rows, of_group = pairs[pairs["group"] == group], shown[shown["group"] == group]
        if rows.empty or rows[list(MODELS)].isna().any(axis=None):
            continue
        kinds = sorted({kind for model in MODELS for cell in of_group[model] for kind in cell.split()})
        counts[f"anomaly_rate_{group}"] = {
            "prompts": [
                _counted(str(name), *(prompt[model].astype(bool) for model in MODELS))
                for name, prompt in rows.groupby("prompt", sort=False)
            ],
            "kinds": [
                _counted(kind, *(of_group[model].map(lambda cell, kind=kind: kind in cell.split()) for model in MODELS))
                for kind in kinds
            ],
        }
    return counts


def _counted(name: str, base: pd.Series, tuned: pd.Series) -> dict[str, Any]:
    cells = {"both": base & tuned, "only_base": base & ~tuned, "only_tuned": ~base & tuned, "neither": ~base & ~tuned}
    return {"name": name} | {cell: int(found.sum()) for cell, found in cells.items()}


def _rate_of(rates: list[AnomalyRate], group: str, anomalous: pd.Series) -> Rate | None:
    """The group's measured rate; None where no detector ran, or where there are no such prompts."""
    rate = next((one.rate for one in rates if one.scope == "group" and one.name == group), None)
    counted = None if anomalous.isna().all() else (int(anomalous.sum()), len(anomalous))
    if counted != ((rate.k, rate.n) if rate else None):
        raise ValueError(
            f"the measured rate of the {group} prompts is not that of metrics/plots/images_*.csv: run `measure` again"
        )
    return rate
