"""The change of the anomaly rate from the base to the tuned model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from anomend.comparing.effects import Effects, Resampling
from anomend.measuring.pairing import pair_by_prompt_and_seed
from anomend.measuring.rates import AnomalyRate, read_rates
from anomend.project.paths import MODELS
from anomend.statistics import Rate, insufficient, paired_effect

Metrics = Mapping[str, Any]


def anomaly_effects(images: Mapping[str, pd.DataFrame], measured: Mapping[str, Metrics], how: Resampling) -> Effects:
    """The change of the anomaly rate on target and on held-out prompts.

    Args:
        images: by model (`base`, `tuned`), one row per image with `group`, `prompt`, `seed` and `anomalous`.
        measured: by model, the content of its metric file; both rates are read from it.
        how: resampling of the interval.

    Raises:
        ValueError: an image has no partner of its prompt and seed, or images and metric file contradict each other.
    """
    pairs = pair_by_prompt_and_seed(images["base"], images["tuned"], "anomalous", missing=True)
    rates = {model: read_rates(metrics) for model, metrics in measured.items()}
    effects = {}
    for group in ("target", "held_out"):
        rows, name = pairs[pairs["group"] == group], f"anomaly_rate_{group}"
        base, tuned = (_rate_of(rates[model], group, rows[model]) for model in MODELS)
        if rows[["base", "tuned"]].isna().any(axis=None):
            reason = "no detector ran on some images: choose a measure.detector"
            effects[name] = insufficient(len(rows), rows["prompt"].nunique(), better="lower", reason=reason)
            continue
        effect = paired_effect(rows["base"], rows["tuned"], list(rows["prompt"]), better="lower", **how)
        if base and tuned:
            effect = replace(effect, base=base.value, tuned=tuned.value, delta=tuned.value - base.value)
        effects[name] = effect
    return effects


def _rate_of(rates: list[AnomalyRate], group: str, anomalous: pd.Series) -> Rate | None:
    """The group's measured rate; None where no detector ran, or where there are no such prompts."""
    rate = next((one.rate for one in rates if one.scope == "group" and one.name == group), None)
    counted = None if anomalous.isna().all() else (int(anomalous.sum()), len(anomalous))
    if counted != ((rate.k, rate.n) if rate else None):
        raise ValueError(
            f"the measured rate of the {group} prompts is not that of metrics/plots/images_*.csv: run `measure` again"
        )
    return rate
