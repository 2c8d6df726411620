"""The measures of metrics/compare.json: their names for the reader, and what a comparison shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from anomend.reporting.inputs import Metrics

MEASURES = {
    "anomaly_rate_target": "Anomaly rate, target prompts",
    "anomaly_rate_held_out": "Anomaly rate, held-out prompts",
    "anomaly_rate_held_out_preserved": "Anomaly rate, held-out prompts with class images",
    "anomaly_rate_held_out_unseen": "Anomaly rate, held-out prompts that training never saw",
    "anomaly_rate_siblings": "Anomaly rate, siblings of the target prompts",
    "ssim_within": "SSIM within the set",
    "psnr_within": "PSNR within the set (dB)",
    "diversity": "Diversity of all images, wrong ones too",
    "nearest_instance_similarity": "Similarity to the nearest instance image",
    "clip_score": "CLIPScore",
}
DISTANCES = {
    "frechet": "Fréchet distance",
    "kernel": "Kernel distance",
    "perceptual": "Perceptual distance within the set",
}
HELD_OUT = "_held_out"
"""End of a measure's name where it was taken on the held-out prompts."""
BETTER = {
    "higher": "higher is better",
    "lower": "lower is better",
    "closer": "neither direction is good by itself",
}
SHARES = frozenset({"rate", "rates", "share"})
"""Words in the name of a measure whose values are shares of images, from 0 to 1."""


def measures_of(compare: Metrics, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The measures of metrics/compare.json by name, whichever they are; those in groups as `group.name`."""
    for name, measure in compare.items():
        if name == "provenance" or not isinstance(measure, Mapping):
            continue
        if "delta" in measure:
            yield f"{prefix}{name}", measure
        else:
            yield from measures_of(measure, f"{prefix}{name}.")


def confidence_level(compare: Metrics) -> str:
    """The level of the intervals, such as `95%`."""
    return f"{100 * compare.get('provenance', {}).get('confidence', 0.95):.4g}%"


def is_share(name: str) -> bool:
    """Whether a measure's values are shares of images, written in percent."""
    return not SHARES.isdisjoint(re.split(r"[._]", name))


def direction(measure: Mapping[str, Any]) -> str:
    """Which way is better, in words."""
    return BETTER.get(measure.get("better", ""), "no direction")


def caution_of(measure: Mapping[str, Any]) -> str:
    """A sentence on why the anomaly rates prove nothing; empty where they do."""
    caution = measure.get("caution")
    return f"These rates do not prove right or wrong anatomy: {caution}." if caution else ""


def reading(measure: Mapping[str, Any]) -> str:
    """What a comparison shows: improved, worse, changed, or no clear change where the interval holds 0."""
    low, high, better = measure.get("ci_low"), measure.get("ci_high"), measure.get("better")
    if low is None or high is None or measure.get("caution"):
        return "not settled"
    if low <= 0 <= high:
        return "no clear change"
    if better not in ("higher", "lower"):
        return "changed"
    return "improved" if (low > 0) == (better == "higher") else "worse"


def measure_label(name: str) -> str:
    """A measure's name for the reader, followed by its group's, as in `fid (inception)`."""
    group, _, last = name.rpartition(".")
    if group:
        return f"{measure_label(last)} ({group.replace('_', ' ').replace('.', ', ')})"
    if name in MEASURES:
        return MEASURES[name]
    if name.endswith(HELD_OUT):
        return f"{measure_label(name.removesuffix(HELD_OUT))}, held-out prompts"
    kind, _, network = name.partition("_")
    if kind in DISTANCES:
        return f"{DISTANCES[kind]} ({network})"
    return name.replace("_", " ")
