"""The conditions of the verdict together: their thresholds, what the data say about each, and how they are combined."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Literal

from anomend.params.evaluation import VerdictParams
from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.statistics.exact_tests import holm
from anomend.verdict import conditions
from anomend.verdict.clauses import Claim
from anomend.verdict.evidence import Findings
from anomend.verdict.preference import preference

Outcome = Literal["corrected", "not_corrected", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Pre-registered thresholds; rates from 0 to 1.

    Raises:
        ValueError: a threshold is negative or not finite.
    """

    level: float = 0.95
    """Confidence of a clause: it errs in at most 1 - level. The held-out clause errs in at most half of that."""
    min_target_drop: float
    """The target anomaly rate must fall by at least this."""
    max_target_rate: float
    """The tuned model's target anomaly rate must not exceed this."""
    worst_target_margin: float = 0.10
    """The tuned model's anomaly rate of a single target prompt may exceed `max_target_rate` by at most this."""
    held_out_margin: float
    """Non-inferiority margin: the held-out anomaly rate must rise by less than this."""
    worst_held_out_rise: float = 0.15
    """The anomaly rate of every single held-out prompt must rise by less than this."""
    max_kind_rise: float = 0.08
    """No kind of anomaly may rise by this on the target prompts."""
    min_diversity_ratio: float
    """Tuned diversity over base diversity must reach this, else the model draws the same picture again and again."""
    max_copy_rate: float
    """The share of target samples that copy a training image must not exceed this."""
    min_preference: float | None = None
    """The survey's share of votes for the tuned image must exceed this; None: it is not asked for."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is None and one.default is None:
                continue
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"{one.name} = {value}: a threshold of the verdict is a finite number, 0 or more")
        if not 0.5 <= self.level < 1:
            raise ValueError(f"level = {self.level}: the confidence of a clause is from 0.5 to below 1")


def thresholds_of(verdict: VerdictParams) -> Thresholds:
    """The thresholds that the parameters set."""
    return Thresholds(**verdict.model_dump(exclude={"evidence", "looks"}))


def claims(findings: Findings, thresholds: Thresholds, words: ModelWords = BASE_AND_TUNED) -> dict[str, Claim]:
    """What the data say about every condition, by the name of its clause; `words` name the two models."""
    error = 1 - thresholds.level
    target, held_out = findings.target, findings.held_out
    worst_rate = thresholds.max_target_rate + thresholds.worst_target_margin
    found = {
        "target_drop": conditions.target_drop(target, thresholds.min_target_drop, error, words),
        "target_rate": conditions.target_rate(target, thresholds.max_target_rate, error, words),
        "worst_target_prompt": conditions.worst_target_prompt(target, worst_rate, error, words),
        "new_kinds": conditions.new_kinds(target, thresholds.max_kind_rise, error),
        "held_out": conditions.held_out_rise(held_out, thresholds.held_out_margin, error / 2),
        "worst_held_out_prompt": conditions.worst_held_out_prompt(held_out, thresholds.worst_held_out_rise, error),
        "diversity": conditions.diversity(findings.ratio, thresholds.min_diversity_ratio, error, words),
        "memorisation": conditions.memorisation(findings.copies, thresholds.max_copy_rate, error, words),
    }
    if thresholds.min_preference is not None:
        found["preference"] = preference(findings.survey, thresholds.min_preference, error, words)
    return found


def adjusted(claims: Mapping[str, Claim]) -> dict[str, float | None]:
    """By clause, p of the hypothesis that the truth is within its threshold, by Holm's correction over all clauses."""
    return holm({name: claim.tails.within if claim.tails else None for name, claim in claims.items()})


def outcome_of(passed: Iterable[bool | None]) -> Outcome:
    """`not_corrected` if a clause failed, else `inconclusive` if one is unsettled, else `corrected`."""
    passed = list(passed)
    return "not_corrected" if False in passed else "inconclusive" if None in passed else "corrected"
