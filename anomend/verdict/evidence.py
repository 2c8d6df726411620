"""The figures that a verdict rests on, read so that nothing missing, impossible or contradictory passes for one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomend.statistics.planning import Spread

ROUNDING = 1e-9
"""Differences of rates carry rounding (0.4 - 0.7 > -0.3 in floats), which must not decide a clause."""
_AGREEMENT = 1e-6
"""Figures that should be equal may differ by this, no more."""


@dataclass(frozen=True)
class Change:
    """A rate with both models; a figure that is missing is None."""

    tuned: float | None = None
    base: float | None = None
    delta: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n: int = 0
    clusters: int = 0
    spread: Spread | None = None
    reason: str = "it was not measured"
    """Why a figure is missing, where one is."""
    caution: str = ""
    """Why the figures are no proof, so that no clause may rest on them; empty: they are."""


@dataclass(frozen=True)
class Ratio:
    """Tuned over base with its interval, where there is one."""

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
    """The change of a rate; without any figure, and with the reason, where the figures contradict each other."""
    source = _measure(compare, name)
    base, tuned, delta, low, high = (number(source, key) for key in ("base", "tuned", "delta", "ci_low", "ci_high"))
    problem = _contradiction(base, tuned, delta, low, high)
    own = number(measure_tuned, name)
    if not problem and own is not None and tuned is not None and abs(own - tuned) > _AGREEMENT:
        problem = f"measured as {own:.4g} on the tuned samples, but compared as {tuned:.4g}: one of the files is stale"
    if problem:
        return Change(reason=f"its figures contradict each other ({problem})")
    n, clusters = int(number(source, "n") or 0), int(number(source, "clusters") or 0)
    seeds, prompts = number(source, "sd_seeds"), number(source, "sd_prompts")
    spread = None
    if seeds is not None and prompts is not None and seeds >= 0 and prompts >= 0 and 0 < clusters <= n:
        spread = Spread(seeds, prompts, clusters)
    reason = str(source.get("reason") or Change.reason)
    return Change(tuned, base, delta, low, high, n, clusters, spread, reason, str(source.get("caution") or ""))


def read_ratio(compare: Mapping[str, Any], name: str) -> Ratio:
    """Tuned over base of a measure above 0."""
    source = _measure(compare, name)
    base, tuned, stated = (number(source, key) for key in ("base", "tuned", "ratio"))
    low, high = number(source, "ratio_ci_low"), number(source, "ratio_ci_high")
    if base is None or tuned is None:
        return Ratio(reason=str(source.get("reason") or Ratio.reason))
    if base < 0 or tuned < 0:
        return Ratio(reason="its figures are below 0, which no diversity is")
    if base == 0:
        return Ratio(reason="the base model's diversity is 0")
    value = tuned / base
    if not math.isfinite(value):
        return Ratio(reason="the base model's diversity is next to 0")
    if stated is not None and abs(stated - value) > _AGREEMENT * max(1.0, value):
        return Ratio(
            reason=f"its figures contradict each other (a ratio of {stated:.4g} where tuned / base = {value:.4g})"
        )
    if low is None or high is None:
        return Ratio(value)
    if not low <= value <= high:
        return Ratio(reason=f"its figures contradict each other ({value:.4g} is not within {low:.4g} to {high:.4g})")
    clusters = number(source, "clusters") or 0
    return Ratio(value, low, high, int((number(source, "n") or 0) / clusters) if clusters > 0 else 0)


def _contradiction(
    base: float | None, tuned: float | None, delta: float | None, low: float | None, high: float | None
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
    found = compare.get(name)
    return found if isinstance(found, Mapping) else {}
