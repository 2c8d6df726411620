"""The metrics that a verdict rests on. Missing, impossible or contradictory values are read as None with a reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomend.statistics.planning import Spread

ROUNDING = 1e-9
"""Differences of rates carry rounding (0.4 - 0.7 > -0.3 in floats), which must not decide a clause."""
_AGREEMENT = 1e-6
"""Largest difference of values that should be equal."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """A rate with both models; a missing value is None."""

    tuned: float | None = None
    base: float | None = None
    delta: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int = 0
    clusters: int = 0
    spread: Spread | None = None
    reason: str = "it was not measured"
    """Why a value is missing, where one is."""
    caution: str = ""
    """Why the rates are not proof, so that no clause may rest on them; empty where they are."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Tuned over base, with its interval where there is one."""

    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    seeds_per_prompt: int = 0
    reason: str = "it was not measured"


def number(source: Mapping[str, Any], key: str) -> float | None:
    """A finite number; None for anything else, such as NaN, a truth value or text."""
    value = source.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def rate(source: Mapping[str, Any], key: str) -> float | None:
    """A number from 0 to 1; None for anything else."""
    value = number(source, key)
    return value if value is not None and 0 <= value <= 1 else None


def read_change(compare: Mapping[str, Any], measure_tuned: Mapping[str, Any], name: str) -> Change:
    """The change of a rate.

    Args:
        compare: content of metrics/compare.json.
        measure_tuned: content of metrics/measure_tuned.json.
        name: key of the rate, the same in both.

    Returns:
        The change; without values, and with the reason, where its values contradict each other.
    """
    source = _measure(compare, name)
    base, tuned, delta, low, high = (number(source, key) for key in ("base", "tuned", "delta", "ci_low", "ci_high"))
    problem = _contradiction(base=base, tuned=tuned, delta=delta, low=low, high=high)
    measured = number(measure_tuned, name)
    if not problem and measured is not None and tuned is not None and abs(measured - tuned) > _AGREEMENT:
        problem = f"measured as {measured:.4g} on the tuned samples, but compared as {tuned:.4g}: one file is stale"
    if problem:
        return Change(reason=f"its values contradict each other ({problem})")
    n, clusters = int(number(source, "n") or 0), int(number(source, "clusters") or 0)
    seeds, prompts = number(source, "sd_seeds"), number(source, "sd_prompts")
    spread = None
    if seeds is not None and prompts is not None and seeds >= 0 and prompts >= 0 and 0 < clusters <= n:
        spread = Spread(seeds, prompts, clusters)
    return Change(
        tuned=tuned,
        base=base,
        delta=delta,
        ci_low=low,
        ci_high=high,
        n=n,
        clusters=clusters,
        spread=spread,
        reason=str(source.get("reason") or Change.reason),
        caution=str(source.get("caution") or ""),
    )


def read_ratio(compare: Mapping[str, Any], name: str) -> Ratio:
    """Tuned over base of a measure above 0."""
    source = _measure(compare, name)
    base, tuned, stated = (number(source, key) for key in ("base", "tuned", "ratio"))
    low, high = number(source, "ratio_ci_low"), number(source, "ratio_ci_high")
    if base is None or tuned is None:
        return Ratio(reason=str(source.get("reason") or Ratio.reason))
    if base < 0 or tuned < 0:
        return Ratio(reason="its values are below 0, which a diversity cannot be")
    if base == 0:
        return Ratio(reason="the base model's diversity is 0")
    value = tuned / base
    if not math.isfinite(value):
        return Ratio(reason="the base model's diversity is almost 0")
    if stated is not None and abs(stated - value) > _AGREEMENT * max(1.0, value):
        return Ratio(
            reason=f"its values contradict each other (a ratio of {stated:.4g} where tuned / base = {value:.4g})"
        )
    if low is None or high is None:
        return Ratio(value=value)
    if not low <= value <= high:
        return Ratio(reason=f"its values contradict each other ({value:.4g} is not within {low:.4g} to {high:.4g})")
    clusters = number(source, "clusters") or 0
    seeds_per_prompt = int((number(source, "n") or 0) / clusters) if clusters > 0 else 0
    return Ratio(value=value, ci_low=low, ci_high=high, seeds_per_prompt=seeds_per_prompt)


def _contradiction(
    *, base: float | None, tuned: float | None, delta: float | None, low: float | None, high: float | None
) -> str:
    for label, value in (("base", base), ("tuned", tuned)):
        if value is not None and not 0 <= value <= 1:
            return f"a rate of {value:.4g} for {label}"
    if base is not None and tuned is not None and delta is not None and abs(tuned - base - delta) > _AGREEMENT:
        return f"a change of {delta:.4g} where tuned - base = {tuned - base:.4g}"
    if delta is not None and low is not None and high is not None and not low - ROUNDING <= delta <= high + ROUNDING:
        return f"a change of {delta:.4g} outside of its interval, {low:.4g} to {high:.4g}"
    return ""


def _measure(compare: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    effect = compare.get(name)
    return effect if isinstance(effect, Mapping) else {}
