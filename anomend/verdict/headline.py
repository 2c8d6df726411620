"""The one metrics file of `dvc metrics`: the verdict and what it rests on, as few numbers as fit a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

GROUPS = "anomaly_rate_"
"""How the measures of metrics/compare.json begin that have the counts of anomalous images by prompt."""
NO_RATES = "no detector ran"


def deciding_rates(
    name: str, *, verdict: Mapping[str, Any], compare: Mapping[str, Any], people: Mapping[str, Any] | None
) -> Mapping[str, Any]:
    """The anomaly rate that the verdict rests on: of the detector, or of people.

    Args:
        name: such as `anomaly_rate_target`.
        verdict, compare, people: content of the metric files.
    """
    source = compare if verdict.get("evidence", "detector") == "detector" else people or {}
    rate = source.get(name)
    return rate if isinstance(rate, Mapping) else {}


def headline(
    verdict: Mapping[str, Any], compare: Mapping[str, Any], people: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The content of metrics/headline.json.

    Rates are shares (0 to 1), changes are tuned minus base. What is null has its reason in the list `reasons`, which
    `dvc metrics show` leaves out.

    Args:
        verdict, compare, people: content of the metric files.
    """
    target, held_out = (
        deciding_rates(f"{GROUPS}{group}", verdict=verdict, compare=compare, people=people)
        for group in ("target", "held_out")
    )
    memorisation = verdict["clauses"].get("memorisation") or {}
    metrics = {
        "verdict": verdict["verdict"],
        "base": target.get("base"),
        "tuned": target.get("tuned"),
        "change": target.get("delta"),
        "low": target.get("ci_low"),
        "high": target.get("ci_high"),
        "held_out": held_out.get("delta"),
        "diversity": verdict.get("right_diversity_ratio"),
        "copies": verdict.get("copy_rate"),
        "pairs": target.get("pairs", target.get("n")),
    }
    why = {"diversity": compare.get("diversity_right") or {}, "held_out": held_out, "copies": memorisation}
    reasons = [
        f"{name}: {why.get(name, target).get('reason', 'not measured')}"
        for name, value in metrics.items()
        if value is None
    ]
    rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in metrics.items()}
    return rounded | ({"reasons": reasons} if reasons else {})


def rate_rows(verdict: Mapping[str, Any], compare: Mapping[str, Any], people: Mapping[str, Any] | None) -> pd.DataFrame:
    """The anomaly rates by prompt and model, the target prompts first: what `dvc plots` draws first.

    Returns:
        images (the prompt and the model), group, share (0 to 1). One row without a share where there is no rate.
    """
    source = compare if verdict.get("evidence", "detector") == "detector" else people or {}
    rows: list[tuple[str, str, float | None]] = []
    for name, rate in source.items():
        for row in (rate.get("prompts") or []) if name.startswith(GROUPS) and isinstance(rate, Mapping) else []:
            shares = _shares(row)
            rows += [(f"{row['name']}, {model}", name.removeprefix(GROUPS), share) for model, share in shares.items()]
    return pd.DataFrame(rows or [(NO_RATES, "target", None)], columns=["images", "group", "share"])


def _shares(row: Mapping[str, Any]) -> dict[str, float]:
    """A prompt's anomaly rates by model: from the detector's counts of pairs, or people's own; empty without pairs."""
    if "only_base" not in row:
        return {model: round(row[model], 6) for model in ("base", "tuned")}
    pairs = sum(row[key] for key in ("both", "only_base", "only_tuned", "neither"))
    return {model: round((row["both"] + row[f"only_{model}"]) / pairs, 6) for model in ("base", "tuned") if pairs}
