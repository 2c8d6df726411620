"""The clauses of the verdict: each compares one metric with its threshold, and states the outcome in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomend.verdict.advice import Advice, images_for_a_ratio, pairs_for_an_interval, seeds_for_a_change
from anomend.verdict.evidence import ROUNDING, Change, Ratio


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One condition of the verdict."""

    passed: bool | None
    """None: unsettled."""
    metric: float | None
    """The metric that is compared with the threshold; None where it is not available."""
    threshold: float
    sentence: str
    """The outcome in words with its metrics, or why they are missing, and what would settle it."""
    advice: Advice | None = None
    """How many images would settle it, where that is known."""

    def as_metrics(self) -> dict[str, Any]:
        """The clause as an object of metrics/verdict.json.

        Its sentence is in the verdict's list of `reasons`: `dvc metrics diff` leaves lists out, but would show a string
        in a column as wide as the string. Only a clause without a metric has its `reason` here.
        """
        values: dict[str, Any] = {"passed": self.passed, "figure": self.metric, "threshold": self.threshold}
        if self.advice and self.advice.as_metrics():
            values["advice"] = self.advice.as_metrics()
        return values if self.metric is not None else values | {"reason": self.sentence}


def clause_target_drop(target: Change, drop: float, confidence: float) -> Clause:
    """The target anomaly rate fell by `drop` or more, and its interval excludes 0."""
    delta, low, high = target.delta, target.ci_low, target.ci_high
    if delta is None or low is None or high is None:
        return _no_change("The change of the target anomaly rate", target, metric=delta, threshold=-drop)

    def clause(passed: bool | None, sentence: str, advice: Advice | None = None) -> Clause:
        return Clause(passed=passed, metric=delta, threshold=-drop, sentence=sentence, advice=advice)

    change = f"The target anomaly rate changed by {_points(delta, low, high)}"
    if target.caution:
        return clause(None, f"{change}, which settles nothing: {target.caution}.")
    if delta > -drop + ROUNDING:
        outcome = f"{change}: not the fall of {100 * drop:.1f} points that was asked for"
        if target.base is not None and target.base < drop - ROUNDING:
            outcome += f", which the base model's {target.base:.1%} leave no room for"
        return clause(False, f"{outcome}.")
    if high >= 0:
        advice = seeds_for_a_change(target, 0.0, confidence)
        return clause(None, f"{change}: the interval is not clear of 0. {advice.sentence}", advice)
    return clause(True, f"{change}: a fall of at least {100 * drop:.1f} points was asked for.")


def clause_target_rate(target: Change, limit: float) -> Clause:
    """The tuned model's target anomaly rate is `limit` or less."""
    subject = "The tuned model's target anomaly rate"
    if target.tuned is None:
        return Clause(passed=None, metric=None, threshold=limit, sentence=_missing(subject, target.reason))
    if target.caution:
        sentence = f"{subject} is {target.tuned:.1%}, which settles nothing: {target.caution}."
        return Clause(passed=None, metric=target.tuned, threshold=limit, sentence=sentence)
    passed = target.tuned <= limit + ROUNDING
    sentence = f"{subject} is {target.tuned:.1%}, {'at most' if passed else 'more than'} the allowed {limit:.1%}."
    return Clause(passed=passed, metric=target.tuned, threshold=limit, sentence=sentence)


def clause_held_out(held_out: Change, margin: float, confidence: float) -> Clause:
    """Non-inferiority: the interval of the held-out anomaly rate's rise ends below `margin`."""
    delta, low, high = held_out.delta, held_out.ci_low, held_out.ci_high
    if delta is None or low is None or high is None:
        return _no_change("The change of the held-out anomaly rate", held_out, metric=high, threshold=margin)

    def clause(passed: bool | None, sentence: str, advice: Advice | None = None) -> Clause:
        return Clause(passed=passed, metric=high, threshold=margin, sentence=sentence, advice=advice)

    change = f"The held-out anomaly rate changed by {_points(delta, low, high)}"
    if held_out.caution:
        return clause(None, f"{change}, which settles nothing: {held_out.caution}.")
    limit = f"the margin of {100 * margin:.1f} points"
    if delta > margin + ROUNDING:
        return clause(False, f"{change}: a rise beyond {limit}, so other prompts got worse.")
    if high >= margin:
        advice = seeds_for_a_change(held_out, margin, confidence)
        return clause(None, f"{change}: a rise beyond {limit} is not excluded. {advice.sentence}", advice)
    return clause(True, f"{change}: a rise beyond {limit} is excluded.")


def clause_diversity(ratio: Ratio, minimum: float, confidence: float) -> Clause:
    """Tuned over base diversity is `minimum` or more.

    The ratio itself decides, as was fixed before the runs. Its interval, which is about new seeds, does not. If the
    interval includes the threshold, the sentence says so, and how many images would settle the question.
    """
    if ratio.value is None:
        sentence = _missing("The diversity ratio", ratio.reason)
        return Clause(passed=None, metric=None, threshold=minimum, sentence=sentence)
    passed = ratio.value >= minimum - ROUNDING
    outcome = "at least" if passed else "less than"
    interval, doubt, advice = "", "", None
    if ratio.ci_low is not None and ratio.ci_high is not None:
        interval = f" (interval {ratio.ci_low:.3f} to {ratio.ci_high:.3f})"
        if ratio.ci_low < minimum <= ratio.ci_high:
            doubt = " The interval includes that threshold, so at other seeds the ratio may lie on its other side"
            images = images_for_a_ratio(ratio, minimum, confidence)
            advice = None if images is None else Advice(f"{images} images per prompt would tell", images)
            now = f" (now {ratio.seeds_per_prompt}; measure.within_set_images)"
            doubt += "." if advice is None else f"; {advice.sentence}{now}."
    sentence = (
        f"The tuned images are {ratio.value:.3f} times as diverse as the base's{interval},"
        f" {outcome} the {minimum:.3f} asked for.{doubt}"
    )
    return Clause(passed=passed, metric=ratio.value, threshold=minimum, sentence=sentence, advice=advice)


def clause_memorisation(copies: float | None, measure_tuned: Mapping[str, Any], limit: float) -> Clause:
    """The share of target samples that copy a training image is `limit` or less."""
    if copies is None:
        stated = measure_tuned.get("copy_rate")
        reason = measure_tuned.get("copy_rate_reason") or measure_tuned.get("reason")
        if stated is not None:
            reason = f"{stated} is not a share from 0 to 1"
        sentence = _missing("The share of copied training images", reason or Change.reason)
        return Clause(passed=None, metric=None, threshold=limit, sentence=sentence)
    passed = copies <= limit + ROUNDING
    outcome = "at most" if passed else "more than"
    sentence = f"{copies:.1%} of the tuned images copy a training image, {outcome} {limit:.1%}."
    if warning := measure_tuned.get("copy_rate_warning"):
        sentence = f"{sentence} Warning: {warning}."
    return Clause(passed=passed, metric=copies, threshold=limit, sentence=sentence)


def _no_change(subject: str, change: Change, *, metric: float | None, threshold: float) -> Clause:
    advice = pairs_for_an_interval(change)
    sentence = _missing(subject, change.reason)
    sentence = f"{sentence} {advice.sentence}" if advice else sentence
    return Clause(passed=None, metric=metric, threshold=threshold, sentence=sentence, advice=advice)


def _points(delta: float, low: float, high: float) -> str:
    return f"{100 * delta:+.1f} points (interval {100 * low:+.1f} to {100 * high:+.1f})"


def _missing(subject: str, reason: object) -> str:
    return f"{subject} is not available: {reason}."
