"""The metrics that a verdict rests on. Missing, impossible or contradictory values are read as None with a reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any

from anomend.statistics.noisy_pairs import NoisyPairs
from anomend.statistics.paired_rise import PairCounts

ROUNDING = 1e-9
"""Differences of rates carry rounding (0.4 - 0.7 > -0.3 in floats), which must not decide whether values agree."""
AGREEMENT = 1e-6
"""Largest difference of values that should be equal."""

NO_COUNTS = "metrics/compare.json has no counts of pairs: run stage `compare` again"


Pairs = PairCounts | NoisyPairs
"""What is known of pairs of images: counts by a detector, or estimates by people."""
SEEDS, LABELS = "seeds", "labelled pairs"
"""What more of would settle a clause, each per prompt."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """An anomaly rate with both models; a missing value is None."""

    tuned: float | None = None
    base: float | None = None
    pairs: Pairs | None = None
    """Of all prompts."""
    prompts: Mapping[str, Pairs] = field(default_factory=dict)
    kinds: Mapping[str, Pairs] = field(default_factory=dict)
    """Pairs by which of the two images has this kind of anomaly; kinds that no image has are left out."""
    reason: str = "it was not measured"
    """Why the counts are missing, where they are."""
    caution: str = ""
    """Why the rates are not proof, so that no clause may rest on them; empty where they are."""
    unit: str = SEEDS
    """`SEEDS` or `LABELS`."""

    @property
    def seeds_per_prompt(self) -> int:
        """Fewest seeds of a prompt; with people, fewest pairs that they labelled."""
        return min((pairs.seen for pairs in self.prompts.values()), default=0)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Diversity of the right images, tuned over base."""

    value: float | None = None
    log_error: float = 0.0
    """Standard error of its logarithm."""
    freedom: float = 1.0
    """Degrees of freedom of that error."""
    reference: str = ""
    """What the tuned images are compared with, in words."""
    seeds_per_prompt: int = 0
    reason: str = "it was not measured"


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Target images of the tuned model that copy a training image."""

    k: int = 0
    n: int = 0
    """0: not measured."""
    seeds_per_prompt: int = 0
    reason: str = "it was not measured"
    warning: str = ""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that the clauses rest on."""

    target: Change
    held_out: Change
    ratio: Ratio
    copies: Copies
    survey: Mapping[str, Any] = field(default_factory=dict)
    """Content of metrics/survey.json; only the clause about preference reads it."""


def read_findings(
    compare: Mapping[str, Any], measure_tuned: Mapping[str, Any], survey: Mapping[str, Any] | None = None
) -> Findings:
    """What the detector found: the content of metrics/compare.json and metrics/measure_tuned.json."""
    target, held_out = (
        read_change(compare, measure_tuned, f"anomaly_rate_{group}") for group in ("target", "held_out")
    )
    ratio, copies = read_ratio(compare), read_copies(measure_tuned, target)
    return Findings(target=target, held_out=held_out, ratio=ratio, copies=copies, survey=survey or {})


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
    """The change of an anomaly rate.

    Args:
        compare: content of metrics/compare.json.
        measure_tuned: content of metrics/measure_tuned.json.
        name: key of the rate, the same in both.

    Returns:
        The change; without counts, and with the reason, where its values contradict each other.
    """
    source = measure(compare, name)
    base, tuned = rate(source, "base"), rate(source, "tuned")
    if base is None or tuned is None:
        return Change(base=base, tuned=tuned, reason=str(source.get("reason") or Change.reason))
    try:
        prompts, kinds = (_read_counts(source, key) for key in ("prompts", "kinds"))
    except (KeyError, TypeError, ValueError):
        return Change(base=base, tuned=tuned, reason=NO_COUNTS)
    pairs = reduce(add, prompts.values())
    measured = number(measure_tuned, name)
    if measured is not None and abs(measured - tuned) > AGREEMENT:
        problem = f"measured as {measured:.4g} on the tuned samples, but compared as {tuned:.4g}: one file is stale"
    else:
        problem = _contradiction(base, tuned, pairs, kinds)
    if problem:
        return Change(reason=f"its values contradict each other ({problem})")
    caution = str(source.get("caution") or "")
    return Change(base=base, tuned=tuned, pairs=pairs, prompts=prompts, kinds=kinds, caution=caution)


def read_ratio(compare: Mapping[str, Any]) -> Ratio:
    """Tuned over base diversity of the right images."""
    source = measure(compare, "diversity_right")
    base, tuned, value, error, freedom = (
        number(source, key) for key in ("base", "tuned", "ratio", "log_error", "freedom")
    )
    if base is None or tuned is None or value is None or error is None or freedom is None:
        return Ratio(reason=str(source.get("reason") or Ratio.reason))
    if base <= 0 or tuned <= 0 or error <= 0 or freedom <= 0:
        return Ratio(reason="its values are not all above 0")
    if abs(value - tuned / base) > AGREEMENT * max(1.0, value):
        return Ratio(
            reason=f"its values contradict each other (a ratio of {value:.4g} where tuned / base = {tuned / base:.4g})"
        )
    seeds, reference = int(number(source, "seeds_per_prompt") or 0), str(source.get("reference") or "the base's")
    return Ratio(value=value, log_error=error, freedom=freedom, reference=reference, seeds_per_prompt=seeds)


def read_copies(measure_tuned: Mapping[str, Any], target: Change) -> Copies:
    """How many target images copy a training image, from their share and the number of target images."""
    stated, share = measure_tuned.get("copy_rate"), rate(measure_tuned, "copy_rate")
    if share is None:
        reason = measure_tuned.get("copy_rate_reason") or measure_tuned.get("reason") or Copies.reason
        return Copies(reason=str(reason) if stated is None else f"{stated} is not a share from 0 to 1")
    provenance = measure(measure_tuned, "provenance")
    n = int(number(provenance, "n_target") or 0) or (target.pairs.seen if target.pairs else 0)
    if n < 1:
        return Copies(reason="the number of target images is not known")
    if abs(share * n - round(share * n)) > AGREEMENT * n:
        return Copies(reason=f"{share} is not a share of {n} images")
    warning = str(measure_tuned.get("copy_rate_warning") or "")
    return Copies(k=round(share * n), n=n, seeds_per_prompt=target.seeds_per_prompt, warning=warning)


def measure(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object of a metric file; empty where there is none."""
    found = source.get(name)
    return found if isinstance(found, Mapping) else {}


def _read_counts(source: Mapping[str, Any], key: str) -> dict[str, PairCounts]:
    cells = ("both", "only_base", "only_tuned", "neither")
    counts, table = {}, source[key]
    if not isinstance(table, list):
        raise TypeError(f"{key} is not a list")
    for row in table:
        values = [row[cell] for cell in cells]
        if any(not isinstance(value, int) or isinstance(value, bool) or value < 0 for value in values):
            raise ValueError(f"{row}: counts of pairs are integers, 0 or more")
        counts[str(row["name"])] = PairCounts(*values)
    if key == "prompts" and (not counts or min(pairs.n for pairs in counts.values()) < 1):
        raise ValueError("a prompt has no pairs")
    return counts


def _contradiction(base: float, tuned: float, pairs: PairCounts, kinds: Mapping[str, PairCounts]) -> str:
    for label, value, count in (("base", base, pairs.base), ("tuned", tuned, pairs.tuned)):
        if abs(value - count / pairs.n) > AGREEMENT:
            return f"a rate of {value:.4g} for {label}, where {count} of {pairs.n} images are anomalous"
    for kind, counts in kinds.items():
        if counts.n != pairs.n or counts.base > pairs.base or counts.tuned > pairs.tuned:
            return f"more images with {kind} than anomalous images"
    return ""
