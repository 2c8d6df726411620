"""The clauses of the verdict: what the data say about each condition, and the sentence that states it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anomend.statistics.one_sided import Tails, lowest_limit
from anomend.verdict.advice import Advice, seeds_to_show


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What the data say about one condition, before it is decided."""

    threshold: float
    error: float = 0.05
    """p at which the clause passes."""
    subject: str
    """The beginning of the sentence, up to the figure; what is missing, where there are no tails."""
    asked: str = ""
    """What was asked for, in words, such as `at most 15.0%`."""
    figure: float | None = None
    """The estimate."""
    tails: Tails | None = None
    """None: the metrics are missing, or settle nothing; `remark` says why."""
    parts: Mapping[str, Tails] = field(default_factory=dict)
    """By prompt or kind of anomaly, the tails that `tails` are the worst of; empty where there is one figure."""
    tails_at: Callable[[float], Tails] | None = None
    """By limit, the tails that the bounds invert; None without bounds."""
    span: tuple[float, float] = (0.0, 1.0)
    """Lowest and highest possible value."""
    at_least: bool = False
    """Whether the truth must be the threshold or more; if not, the threshold or less."""
    shown_as: Callable[[float], str] = str
    """A value of the figure in words."""
    remark: str = ""
    """A sentence that follows."""
    seeds_per_prompt: int = 0
    unit: str = "seeds"
    """What `seeds_per_prompt` counts, in words."""


@dataclass(frozen=True, kw_only=True)
class Clause:
    """One condition of the verdict, decided."""

    passed: bool | None
    """None: unsettled."""
    threshold: float
    sentence: str
    """The outcome in words with its figures, or why they are missing, and what would settle it."""
    figure: float | None = None
    bound: float | None = None
    """The one-sided bound that decides: of the side that is shown, or that is not."""
    confidence: float | None = None
    """The bound's confidence: higher than the level where the clause fails, since any clause, prompt or kind may."""
    p_pass: float | None = None
    """p of the hypothesis that the truth is at the threshold or beyond."""
    p_fail: float | None = None
    """p of the opposite hypothesis, adjusted by Holm for all clauses."""
    advice: Advice | None = None

    def as_metrics(self) -> dict[str, Any]:
        """The clause as an object of metrics/verdict.json.

        Its sentence is in the verdict's list of `reasons`: `dvc metrics diff` leaves lists out, but would show a string
        in a column as wide as the string. Only a clause without a figure has its `reason` here.
        """
        values: dict[str, Any] = {"passed": self.passed, "figure": self.figure, "bound": self.bound}
        values |= {"confidence": self.confidence} if self.confidence is not None else {}
        values |= {"threshold": self.threshold, "p_pass": self.p_pass, "p_fail": self.p_fail}
        if self.advice and self.advice.as_metrics():
            values["advice"] = self.advice.as_metrics()
        return values if self.figure is not None else values | {"reason": self.sentence}


def settle(claim: Claim, p_fail: float | None, error: float) -> bool | None:
    """Whether the clause passes; None where it is unsettled. See `decide`."""
    if claim.tails is None or p_fail is None:
        return None
    return True if claim.tails.beyond <= claim.error else False if p_fail <= error else None


def decide(claim: Claim, p_fail: float | None, error: float, *, shown: bool = False, clauses: int = 1) -> Clause:
    """The clause passes where the truth is shown to be within its limit, and fails where it is shown to be beyond.

    Args:
        claim: what the data say.
        p_fail: `tails.within`, adjusted for the number of clauses; None where there are no tails.
        error: p at which a clause fails.
        shown: whether it is shown already, prompt by prompt at several looks (`anomend.verdict.looks`).
        clauses: how many there are that p is adjusted for.
    """
    tails, passed = claim.tails, True if shown else settle(claim, p_fail, error)
    if tails is None or p_fail is None:
        return Clause(passed=None, threshold=claim.threshold, figure=claim.figure, sentence=_unmeasured(claim))
    outcome = {True: "is shown", False: "is not met", None: "is not settled"}[passed]
    bound_error = claim.error
    if passed is False:
        # p_fail <= error: p of the one prompt or kind, times what Holm and Bonferroni multiply it by.
        by_holm = p_fail / tails.within if p_fail else clauses
        bound_error = error / (by_holm * max(1, len(claim.parts)))
    bound, words = _bound(claim, excluded=passed is False, error=bound_error)
    advice = None
    if passed is None and bound is not None and claim.figure is not None:
        advice = seeds_to_show(
            claim.figure,
            bound=bound,
            threshold=claim.threshold,
            error=claim.error,
            seeds_per_prompt=claim.seeds_per_prompt,
            unit=claim.unit,
        )
    parts = [f"{claim.subject}{words}: {claim.asked} was asked for, and {outcome}.", claim.remark]
    parts += [advice.sentence] if advice else []
    return Clause(
        passed=passed,
        threshold=claim.threshold,
        figure=claim.figure,
        bound=bound,
        confidence=None if bound is None else round(1 - bound_error, 9),
        p_pass=tails.beyond,
        p_fail=p_fail,
        sentence=" ".join(filter(None, parts)),
        advice=advice,
    )


def worst(tails: Mapping[str, Tails]) -> tuple[str, Tails]:
    """The tails of the condition that each of several prompts or kinds is within its limit, and which one is worst.

    It is shown only if each is shown, so the largest p decides; it is excluded if one is, so the smallest p of the
    other side decides, times the number of tries (Bonferroni).

    Raises:
        ValueError: there are none.
    """
    name = max(tails, key=lambda each: (tails[each].beyond, -tails[each].within))
    within = min(1.0, len(tails) * min(each.within for each in tails.values()))
    return name, Tails(beyond=max(each.beyond for each in tails.values()), within=within)


def points(value: float) -> str:
    """A change of a rate in percentage points."""
    return f"{100 * value:+.1f} points"


def confidence_text(confidence: float) -> str:
    """A confidence in percent, never more than it is."""
    return f"{math.floor(1e4 * confidence + 1e-6) / 100:g}%"


def percent(value: float) -> str:
    """A rate."""
    return f"{value:.1%}"


def outward(bound: float, *, upper: bool, digits: int = 3) -> float:
    """A bound at the precision of print, rounded away from the data: an upper one up, a lower one down.

    Args:
        bound: as it was computed.
        upper: whether the truth is at most that.
        digits: decimals; the 3 that are left by default are one of a rate in percent.
    """
    scale = 10**digits
    # What the search for the bound, or a binary fraction, is off by does not cost a digit.
    whole = math.ceil(bound * scale - 1e-6) if upper else math.floor(bound * scale + 1e-6)
    return whole / scale


def _bound(claim: Claim, *, excluded: bool, error: float) -> tuple[float | None, str]:
    """The one-sided bound of the shown or excluded side, and its words."""
    if claim.tails_at is None:
        return None, ""
    at, (low, high) = claim.tails_at, claim.span
    if claim.at_least == excluded:
        value = lowest_limit(lambda limit: _side(at(limit), claim.at_least), error, low=low, high=high)
        upper = True
    else:
        value = -lowest_limit(lambda limit: _side(at(-limit), not claim.at_least), error, low=-high, high=-low)
        upper = False
    shown = claim.shown_as(outward(value, upper=upper))
    return value, f" ({'at most' if upper else 'at least'} {shown} with {confidence_text(1 - error)} confidence)"


def _side(tails: Tails, within: bool) -> float:
    return tails.within if within else tails.beyond


def _unmeasured(claim: Claim) -> str:
    if claim.figure is not None:
        return f"{claim.subject}, which settles nothing: {claim.remark}."
    return f"{claim.subject} is not available: {claim.remark}."
