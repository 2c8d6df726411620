"""The clauses of the verdict: each holds one figure against its threshold, and says what came of it in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomend.verdict.advice import Advice, images_for_a_ratio, pairs_for_an_interval, seeds_for_a_change
from anomend.verdict.evidence import ROUNDING, Change, Ratio


@dataclass(frozen=True)
class Clause:
    """One condition of the verdict."""

    passed: bool | None
    """None: unsettled."""
    figure: float | None
    """The figure that is held against the threshold."""
    threshold: float
    sentence: str
    """The outcome in words, with the figures it rests on, or why there is none, and what would settle it."""
    advice: Advice | None = None
    """How many images would settle it, where that is known."""

    def as_metrics(self) -> dict[str, Any]:
        """The clause's figures. Its sentence stands among the verdict's `reasons`, a list, which `dvc metrics diff`
        leaves out; a string it would show, in columns as wide. Only a figure that is null has its `reason` here."""
        figures: dict[str, Any] = {"passed": self.passed, "figure": self.figure, "threshold": self.threshold}
        if self.advice and self.advice.as_metrics():
            figures["advice"] = self.advice.as_metrics()
        return figures if self.figure is not None else figures | {"reason": self.sentence}


def clause_target_drop(target: Change, drop: float, confidence: float) -> Clause:
    """The target anomaly rate fell by `drop` or more, and its interval is clear of 0."""
    delta, low, high = target.delta, target.ci_low, target.ci_high
    if delta is None or low is None or high is None:
        return _no_change("The change of the target anomaly rate", target, delta, -drop)
    change = f"The target anomaly rate changed by {_points(delta, low, high)}"
    if target.caution:
        return Clause(None, delta, -drop, f"{change}, which settles nothing: {target.caution}.")
    if delta > -drop + ROUNDING:
        outcome = f"{change}: not the fall of {100 * drop:.1f} points that was asked for"
        if target.base is not None and target.base < drop - ROUNDING:
            outcome += f", which the base model's {target.base:.1%} leave no room for"
        return Clause(False, delta, -drop, f"{outcome}.")
    if high >= 0:
        advice = seeds_for_a_change(target, 0.0, confidence)
        return Clause(None, delta, -drop, f"{change}: the interval is not clear of 0. {advice.sentence}", advice)
    return Clause(True, delta, -drop, f"{change}: a fall of at least {100 * drop:.1f} points was asked for.")


def clause_target_rate(target: Change, limit: float) -> Clause:
    """The tuned model's target anomaly rate is `limit` or less."""
    if target.tuned is None:
        return Clause(None, None, limit, _missing("The tuned model's target anomaly rate", target.reason))
    if target.caution:
        sentence = (
            f"The tuned model's target anomaly rate is {target.tuned:.1%}, which settles nothing: {target.caution}."
        )
        return Clause(None, target.tuned, limit, sentence)
    passed = target.tuned <= limit + ROUNDING
    outcome = "at most" if passed else "more than"
    sentence = f"The tuned model's target anomaly rate is {target.tuned:.1%}, {outcome} the allowed {limit:.1%}."
    return Clause(passed, target.tuned, limit, sentence)


def clause_held_out(held_out: Change, margin: float, confidence: float) -> Clause:
    """Non-inferiority: the interval of the held-out anomaly rate's rise ends below `margin`."""
    delta, low, high = held_out.delta, held_out.ci_low, held_out.ci_high
    if delta is None or low is None or high is None:
        return _no_change("The change of the held-out anomaly rate", held_out, high, margin)
    change = f"The held-out anomaly rate changed by {_points(delta, low, high)}"
    if held_out.caution:
        return Clause(None, high, margin, f"{change}, which settles nothing: {held_out.caution}.")
    limit = f"the margin of {100 * margin:.1f} points"
    if delta > margin + ROUNDING:
        return Clause(False, high, margin, f"{change}: a rise beyond {limit}, so other prompts got worse.")
    if high >= margin:
        advice = seeds_for_a_change(held_out, margin, confidence)
        return Clause(None, high, margin, f"{change}: a rise beyond {limit} is not excluded. {advice.sentence}", advice)
    return Clause(True, high, margin, f"{change}: a rise beyond {limit} is excluded.")


def clause_diversity(ratio: Ratio, minimum: float, confidence: float) -> Clause:
    """Tuned over base diversity is `minimum` or more.

    The ratio itself decides, as was settled before the runs, not its interval: that speaks about new seeds, and is told
    beside. Where it includes the threshold the sentence says so, and how many images would tell.
    """
    if ratio.value is None:
        return Clause(None, None, minimum, _missing("The diversity ratio", ratio.reason))
    passed = ratio.value >= minimum - ROUNDING
    outcome = "at least" if passed else "less than"
    interval, doubt, advice = "", "", None
    if ratio.ci_low is not None and ratio.ci_high is not None:
        interval = f" (interval {ratio.ci_low:.3f} to {ratio.ci_high:.3f})"
        if ratio.ci_low < minimum <= ratio.ci_high:
            doubt = " The interval includes that threshold, so at other seeds the ratio may lie on its other side"
            images = images_for_a_ratio(ratio, minimum, confidence)
            advice = None if images is None else Advice(f"{images} images a prompt would tell", images)
            now = f" (now {ratio.seeds_per_prompt}; measure.within_set_images)"
            doubt += "." if advice is None else f"; {advice.sentence}{now}."
    sentence = (
        f"The tuned images are {ratio.value:.3f} times as diverse as the base's{interval},"
        f" {outcome} the {minimum:.3f} asked for.{doubt}"
    )
    return Clause(passed, ratio.value, minimum, sentence, advice)


def clause_memorisation(copies: float | None, measure_tuned: Mapping[str, Any], limit: float) -> Clause:
    """The share of target samples that copy a training image is `limit` or less."""
    if copies is None:
        stated = measure_tuned.get("copy_rate")
        reason = measure_tuned.get("copy_rate_reason") or measure_tuned.get("reason")
        if stated is not None:
            reason = f"{stated} is no share from 0 to 1"
        return Clause(None, None, limit, _missing("The share of copied training images", reason or Change.reason))
    passed = copies <= limit + ROUNDING
    outcome = "at most" if passed else "more than"
    sentence = f"{copies:.1%} of the tuned images copy a training image, {outcome} {limit:.1%}."
    warning = measure_tuned.get("copy_rate_warning")
    return Clause(passed, copies, limit, f"{sentence} Warning: {warning}." if warning else sentence)


def _no_change(subject: str, change: Change, figure: float | None, threshold: float) -> Clause:
    advice = pairs_for_an_interval(change)
    sentence = _missing(subject, change.reason)
    return Clause(None, figure, threshold, f"{sentence} {advice.sentence}" if advice else sentence, advice)


def _points(delta: float, low: float, high: float) -> str:
    return f"{100 * delta:+.1f} points (interval {100 * low:+.1f} to {100 * high:+.1f})"


def _missing(subject: str, reason: object) -> str:
    return f"{subject} is not available: {reason}."
