"""The verdict on a correction: thresholds set before the run, one clause each, and how the clauses are combined.

Every clause passes, fails, or is unsettled (None): the figures are missing or do not carry a decision. A correction is
called corrected only when all clauses pass; one clear failure makes it not_corrected; anything else is inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Decision = Literal["corrected", "not_corrected", "inconclusive"]

_TOLERANCE = 1e-9
"""Differences of rates carry rounding (0.4 - 0.7 > -0.3 in floats), which must not decide a clause."""


@dataclass(frozen=True)
class Thresholds:
    """Pre-registered thresholds; rates from 0 to 1.

    Raises:
        ValueError: a threshold is negative or not finite.
    """

    min_target_drop: float
    """The target anomaly rate must fall by at least this, with an interval clear of 0."""
    max_target_rate: float
    """The tuned model's target anomaly rate must not exceed this."""
    held_out_margin: float
    """Non-inferiority margin: the upper bound of the held-out anomaly rate's rise must stay below this."""
    min_diversity_ratio: float
    """Tuned diversity over base diversity must reach this, else the model draws the same picture again and again."""
    max_copy_rate: float
    """Share of target samples that copy a training image, at most."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"{name} = {value}: a threshold of the verdict is a finite number, 0 or more")


@dataclass(frozen=True)
class Clause:
    """One condition of the verdict."""

    passed: bool | None
    """None: unsettled."""
    figure: float | None
    """The figure that is held against the threshold."""
    threshold: float
    sentence: str
    """The outcome in words, with the figures it rests on, or why there is none."""

    def as_metrics(self) -> dict[str, Any]:
        """The clause's figures. Its sentence stands among the verdict's `reasons`, a list, which `dvc metrics diff`
        leaves out; a string it would show, in columns as wide. Only a figure that is null has its `reason` here."""
        figures = {"passed": self.passed, "figure": self.figure, "threshold": self.threshold}
        return figures if self.figure is not None else figures | {"reason": self.sentence}


@dataclass(frozen=True)
class Verdict:
    """The decision, its clauses by name, and the figures that decided it."""

    verdict: Decision
    reasons: tuple[str, ...]
    """Sentences of the clauses that decided: the failed ones, else the unsettled ones, else all."""
    clauses: Mapping[str, Clause]
    figures: Mapping[str, float | None]

    def as_metrics(self) -> dict[str, Any]:
        """The content of metrics/verdict.json, without provenance."""
        clauses = {name: clause.as_metrics() for name, clause in self.clauses.items()}
        return {"verdict": self.verdict, "reasons": list(self.reasons), "clauses": clauses, **self.figures}


def decide(compare: Mapping[str, Any], measure_tuned: Mapping[str, Any], thresholds: Thresholds) -> Verdict:
    """Hold a comparison against its thresholds.

    Args:
        compare: one object a measure (`base`, `tuned`, `delta` = tuned - base, `ci_low`, `ci_high`, `reason` where
            null, `caution` where the figures are no proof, so that no clause rests on them); read are
            `anomaly_rate_target`, `anomaly_rate_held_out` and `diversity`.
        measure_tuned: the tuned model's figures; read is `copy_rate`.
        thresholds: what was asked for before the run.

    Returns:
        The verdict. A figure that is absent or null makes its clause unsettled, and its reason is carried through.
    """
    target, held_out = _measure(compare, "anomaly_rate_target"), _measure(compare, "anomaly_rate_held_out")
    diversity = _measure(compare, "diversity")
    ratio = _ratio(_number(diversity, "tuned"), _number(diversity, "base"))
    copy_rate = _number(measure_tuned, "copy_rate")
    clauses = {
        "target_drop": _target_drop(target, thresholds.min_target_drop),
        "target_rate": _target_rate(target, thresholds.max_target_rate),
        "held_out": _held_out(held_out, thresholds.held_out_margin),
        "diversity": _diversity(ratio, diversity, thresholds.min_diversity_ratio),
        "memorisation": _memorisation(copy_rate, measure_tuned, thresholds.max_copy_rate),
    }
    failed = [clause.sentence for clause in clauses.values() if clause.passed is False]
    unsettled = [clause.sentence for clause in clauses.values() if clause.passed is None]
    decision: Decision = "not_corrected" if failed else "inconclusive" if unsettled else "corrected"
    figures = {
        "target_anomaly_rate_base": _number(target, "base"),
        "target_anomaly_rate_tuned": _number(target, "tuned"),
        "held_out_anomaly_rate_base": _number(held_out, "base"),
        "held_out_anomaly_rate_tuned": _number(held_out, "tuned"),
        "diversity_ratio": ratio,
        "copy_rate": copy_rate,
    }
    reasons = tuple(failed or unsettled or [clause.sentence for clause in clauses.values()])
    return Verdict(decision, reasons, clauses, figures)


def _target_drop(target: Mapping[str, Any], drop: float) -> Clause:
    delta, low, high = (_number(target, key) for key in ("delta", "ci_low", "ci_high"))
    if delta is None or low is None or high is None:
        return Clause(None, delta, -drop, _missing("The change of the target anomaly rate", target))
    change = f"The target anomaly rate changed by {_points(delta, low, high)}"
    if caution := target.get("caution"):
        return Clause(None, delta, -drop, f"{change}, which settles nothing: {caution}.")
    if delta > -drop + _TOLERANCE:
        return Clause(False, delta, -drop, f"{change}: not the fall of {100 * drop:.1f} points that was asked for.")
    if high >= 0:
        return Clause(None, delta, -drop, f"{change}: the interval is not clear of 0, so more seeds are needed.")
    return Clause(True, delta, -drop, f"{change}: a fall of at least {100 * drop:.1f} points was asked for.")


def _target_rate(target: Mapping[str, Any], limit: float) -> Clause:
    rate = _number(target, "tuned")
    if rate is None:
        return Clause(None, None, limit, _missing("The tuned model's target anomaly rate", target))
    if caution := target.get("caution"):
        sentence = f"The tuned model's target anomaly rate is {rate:.1%}, which settles nothing: {caution}."
        return Clause(None, rate, limit, sentence)
    passed = rate <= limit + _TOLERANCE
    outcome = "at most" if passed else "more than"
    return Clause(
        passed, rate, limit, f"The tuned model's target anomaly rate is {rate:.1%}, {outcome} the allowed {limit:.1%}."
    )


def _held_out(held_out: Mapping[str, Any], margin: float) -> Clause:
    delta, low, high = (_number(held_out, key) for key in ("delta", "ci_low", "ci_high"))
    if delta is None or low is None or high is None:
        return Clause(None, high, margin, _missing("The change of the held-out anomaly rate", held_out))
    change = f"The held-out anomaly rate changed by {_points(delta, low, high)}"
    if caution := held_out.get("caution"):
        return Clause(None, high, margin, f"{change}, which settles nothing: {caution}.")
    limit = f"the margin of {100 * margin:.1f} points"
    if delta > margin + _TOLERANCE:
        return Clause(False, high, margin, f"{change}: a rise beyond {limit}, so other prompts got worse.")
    if high >= margin:
        return Clause(None, high, margin, f"{change}: a rise beyond {limit} is not excluded, so more seeds are needed.")
    return Clause(True, high, margin, f"{change}: a rise beyond {limit} is excluded.")


def _diversity(ratio: float | None, diversity: Mapping[str, Any], minimum: float) -> Clause:
    if ratio is None:
        if _number(diversity, "base") == 0:
            reason = "The diversity ratio is not available: the base model's diversity is 0."
        else:
            reason = _missing("The diversity ratio", diversity)
        return Clause(None, None, minimum, reason)
    passed = ratio >= minimum - _TOLERANCE
    outcome = "at least" if passed else "less than"
    sentence = (
        f"The tuned images are {ratio:.3f} times as diverse as the base's, {outcome} the {minimum:.3f} asked for."
    )
    return Clause(passed, ratio, minimum, sentence)


def _memorisation(rate: float | None, measure_tuned: Mapping[str, Any], limit: float) -> Clause:
    if rate is None:
        reasons = {"reason": measure_tuned.get("copy_rate_reason") or measure_tuned.get("reason")}
        return Clause(None, None, limit, _missing("The share of copied training images", reasons))
    passed = rate <= limit + _TOLERANCE
    outcome = "at most" if passed else "more than"
    sentence = f"{rate:.1%} of the tuned images copy a training image, {outcome} {limit:.1%}."
    warning = measure_tuned.get("copy_rate_warning")
    return Clause(passed, rate, limit, f"{sentence} Warning: {warning}." if warning else sentence)


def _points(delta: float, low: float, high: float) -> str:
    return f"{100 * delta:+.1f} points (interval {100 * low:+.1f} to {100 * high:+.1f})"


def _missing(subject: str, source: Mapping[str, Any]) -> str:
    return f"{subject} is not available: {source.get('reason') or 'it was not measured'}."


def _measure(compare: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = compare.get(name)
    return found if isinstance(found, Mapping) else {}


def _number(source: Mapping[str, Any], key: str) -> float | None:
    value = source.get(key)
    return None if value is None or not math.isfinite(value) else float(value)


def _ratio(tuned: float | None, base: float | None) -> float | None:
    return None if tuned is None or not base else tuned / base
