"""How metrics are written: fixed digits, a unit, and `n/a (reason)` where there is no value."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

Unit = Literal["rate", "points", "number", "signed", "count", "p", "ratio"]
"""What a number is, which decides how it is rounded: one rule for the page, the comment and the tables."""


def number_text(value: Any, unit: Unit = "number", reason: str | None = None, *, digits: int = 1) -> str:
    """Write a number.

    Shares and their changes have one decimal in percent, ratios two, p-values four; others four significant digits.

    Args:
        value: the number; None or NaN is written as `n/a (reason)`, never as 0.
        unit: rate (0 to 1, written in percent), points (a difference of rates), ratio, number, signed, count, or p.
        reason: why there is no value.
        digits: decimals of a share in percent, and one fewer than those of a ratio.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return f"n/a ({(reason or 'no reason given').rstrip('.')})"
    if unit == "rate":
        return f"{value:.{digits}%}"
    if unit == "points":
        return f"{100 * value:+.{digits}f} points"
    if unit == "ratio":
        return f"{value:.{digits + 1}f}"
    if unit == "count":
        return f"{int(value):,}"
    if unit == "p":
        return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
    size = abs(value)
    # Four significant digits or four decimals; more decimals where the number would read as 0.
    decimals = max(0, 3 - math.floor(math.log10(size))) if size >= 1 or 0 < size < 0.001 else 4
    return f"{value:+.{decimals}f}" if unit == "signed" else f"{value:.{decimals}f}"


def reasons_once(cells: Iterable[str]) -> list[str]:
    """The cells, where a reason that an earlier cell gave is shortened, so that the numbers stay visible."""
    seen: set[str] = set()
    shortened = []
    for cell in cells:
        shortened.append("n/a (same reason)" if cell in seen else cell)
        if cell.startswith("n/a ("):
            seen.add(cell)
    return shortened


def reason_for(metrics: Mapping[str, Any], key: str) -> str | None:
    """Why `key` is null: `<key>_reason`, else the object's `reason`."""
    return metrics.get(f"{key}_reason") or metrics.get("reason")


def metric_text(metrics: Mapping[str, Any], key: str, unit: Unit = "number") -> str:
    """Write a metric of a metrics object; a key that is not there reads `n/a (not measured)`."""
    return number_text(metrics.get(key), unit, reason_for(metrics, key) or "not measured")


def change_text(rates: Mapping[str, Any]) -> str:
    """The change of a rate from base to tuned: the difference of the two rates as they are printed.

    Args:
        rates: an object with base, tuned and delta, all shares from 0 to 1.
    """
    base, tuned, delta = rates.get("base"), rates.get("tuned"), rates.get("delta")
    if base is None or tuned is None or delta is None or abs(tuned - base - delta) > 0.0005:
        return metric_text(rates, "delta", "points")
    printed = [float(number_text(value, "rate").rstrip("%")) for value in (base, tuned)]
    return f"{round(printed[1] - printed[0], 1) + 0.0:+.1f} points"


def p_text(metrics: Mapping[str, Any]) -> str:
    """Write a p-value after its letter: `p = 0.0123`, `p < 0.0001` or `p n/a (reason)`."""
    p = metric_text(metrics, "p", "p")
    return f"p = {p}" if p[0].isdigit() else f"p {p}"


def interval_text(metrics: Mapping[str, Any], unit: Unit) -> str:
    """Write ci_low and ci_high as `low to high`, or `n/a (reason)`."""
    low, high = metrics.get("ci_low"), metrics.get("ci_high")
    if low is None or high is None:
        return number_text(None, unit, reason_for(metrics, "ci_low") or "no interval")
    if unit in ("rate", "points"):
        ends = [f"{100 * end:+.1f}" if unit == "points" else f"{100 * end:.1f}" for end in (low, high)]
        return f"{ends[0]} to {ends[1]}" + ("%" if unit == "rate" else " points")
    return f"{number_text(low, unit)} to {number_text(high, unit)}"


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of a nested mapping as (dotted key, value as text)."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", plain(value)


def plain(value: Any) -> str:
    """A value as text: strings as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
