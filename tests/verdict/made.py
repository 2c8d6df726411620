"""Metrics of a comparison, made from counts of pairs."""

from __future__ import annotations

from typing import Any

from anomend.verdict.decision import Thresholds

THRESHOLDS = Thresholds(
    min_target_drop=0.3, max_target_rate=0.15, held_out_margin=0.05, min_diversity_ratio=0.7, max_copy_rate=0.1
)

Counts = tuple[int, int, int, int]
"""both, only_base, only_tuned, neither."""


def rows(counts: dict[str, Counts]) -> list[dict[str, Any]]:
    """Counts of pairs as metrics/compare.json has them."""
    cells = ("both", "only_base", "only_tuned", "neither")
    return [{"name": name, **dict(zip(cells, each, strict=True))} for name, each in counts.items()]


def change(prompts: dict[str, Counts], kinds: dict[str, Counts] | None = None) -> dict[str, Any]:
    """The change of an anomaly rate."""
    n = sum(map(sum, prompts.values()))
    base = sum(both + only for both, only, _, _ in prompts.values()) / n
    tuned = sum(both + only for both, _, only, _ in prompts.values()) / n
    return {"base": base, "tuned": tuned, "prompts": rows(prompts), "kinds": rows(kinds or {})}


def ratio(value: float, log_error: float = 0.05, freedom: float = 60) -> dict[str, Any]:
    """Diversity of the right images."""
    numbers = {"base": 0.1, "tuned": 0.1 * value, "ratio": value, "log_error": log_error, "freedom": freedom}
    return numbers | {"reference": "the base's right images", "seeds_per_prompt": 128}


def compare(**changes: dict[str, Any]) -> dict[str, Any]:
    """A comparison in which every clause passes, with changes by measure."""
    target: dict[str, Counts] = {"grass": (10, 90, 0, 28), "street": (8, 92, 1, 27)}
    held_out: dict[str, Counts] = {f"held-out {index}": (1, 1, 1, 61) for index in range(8)}
    good = {
        "anomaly_rate_target": change(target, {"extra_leg": (0, 117, 0, 139), "extra_arm": (0, 1, 6, 249)}),
        "anomaly_rate_held_out": change(held_out),
        "diversity_right": ratio(0.9),
        "diversity": {"base": 0.12, "tuned": 0.09, "ratio": 0.75, "ratio_ci_low": 0.65, "ratio_ci_high": 0.85},
    }
    return good | changes


def measured(copies: int = 1, n: int = 256) -> dict[str, Any]:
    """What was measured on the tuned samples."""
    return {"copy_rate": copies / n, "provenance": {"n_target": n}}
