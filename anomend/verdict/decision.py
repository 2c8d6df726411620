"""The verdict on a correction: thresholds set before the run, one clause each, and how the clauses are combined.

It is an intersection-union test (Berger 1982, doi:10.1080/00401706.1982.10487790): a clause passes where its own test
shows, with an error of 5% or less, that the truth is within its threshold. The verdict is `corrected` only if all pass,
so it errs in at most 5% without a correction for their number. A clause fails only where the opposite test shows that
the truth is beyond the threshold; since any clause may fail, Holm's correction over the clauses keeps the chance that a
model within all thresholds is `not_corrected` at 5%. Everything else is `inconclusive`. The truth is that of these
prompts at new seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from anomend.statistics.exact_tests import holm
from anomend.verdict import conditions
from anomend.verdict.clauses import Claim, Clause, decide
from anomend.verdict.evidence import Change, Copies, Ratio, measure, number, read_change, read_copies, read_ratio
from anomend.verdict.people import Evidence, read_people, who_decides
from anomend.verdict.preference import preference

EXPLORATORY = "This was a quick run (level: quick), of few images and few steps: it proves nothing, whatever it says."

__all__ = ["Clause", "Outcome", "Thresholds", "Verdict", "reach_verdict"]

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


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome, its clauses by name, and the metrics that it rests on."""

    outcome: Outcome
    reasons: tuple[str, ...]
    """Sentences of the clauses that decided: the failed ones, else the unsettled ones, else all."""
    scope: tuple[str, ...]
    """What the verdict is about, in sentences."""
    clauses: Mapping[str, Clause]
    metrics: Mapping[str, float | None]
    evidence: Evidence = "detector"
    """What decides the clauses about anomalies."""
    decides: str = ""
    """The same in a sentence."""
    exploratory: bool = False
    """Whether the run was for a first impression, so that its outcome proves nothing."""
    attempt: int | None = None
    """Which confirmation this is, counted from 1; None: it is at everyday seeds."""

    def as_metrics(self) -> dict[str, Any]:
        """The content of metrics/verdict.json, without provenance."""
        clauses = {name: clause.as_metrics() for name, clause in self.clauses.items()}
        first = [sentence for sentence in (EXPLORATORY * self.exploratory, self.decides) if sentence]
        reasons = [*first, *self.reasons]
        return {
            "verdict": self.outcome,
            "evidence": self.evidence,
            "exploratory": self.exploratory,
            "confirmation": self.attempt,
            "reasons": reasons,
            "scope": list(self.scope),
            "clauses": clauses,
            **self.metrics,
        }


def reach_verdict(
    compare: Mapping[str, Any],
    measure_tuned: Mapping[str, Any],
    thresholds: Thresholds,
    *,
    evidence: Evidence = "detector",
    people: Mapping[str, Any] | None = None,
    survey: Mapping[str, Any] | None = None,
    exploratory: bool = False,
    attempt: int | None = None,
) -> Verdict:
    """Compare what was measured with the thresholds.

    Args:
        compare: content of metrics/compare.json. Of `anomaly_rate_target` and `anomaly_rate_held_out` it reads `base`,
            `tuned`, the counts of pairs by prompt and by kind of anomaly (`prompts`, `kinds`), `reason` where a value
            is null, and `caution` where the rates are not proof, so that no clause rests on them; and
            `diversity_right`.
        measure_tuned: content of metrics/measure_tuned.json. It reads `copy_rate`, and checks that anomaly rates are
            those of the comparison.
        thresholds: what was asked for before the run.
        evidence: what decides about anomalies: the detector, people, or both together; chosen before the run.
        people: content of metrics/people.json, of which the anomaly rates are read where people decide. Diversity and
            copies rest on features of all images all the same.
        survey: content of metrics/survey.json, for the clause `preference`, if it is asked for.
        exploratory: the run was for a first impression.
        attempt: which confirmation this is; None: none, the seeds are those of everyday runs.

    Returns:
        The verdict. A metric that is absent, null, not finite, impossible or contradicted by another leaves its clause
        unsettled, with the reason.
    """
    names = ("anomaly_rate_target", "anomaly_rate_held_out")
    by_detector = [read_change(compare, measure_tuned, name) for name in names]
    ratio, copies = read_ratio(compare), read_copies(measure_tuned, by_detector[0])
    target, held_out = by_detector if evidence == "detector" else [read_people(people or {}, name) for name in names]
    found = claims(target, held_out, ratio=ratio, copies=copies, thresholds=thresholds)
    if thresholds.min_preference is not None:
        found["preference"] = preference(survey or {}, thresholds.min_preference, 1 - thresholds.level)
    p_fail = adjusted(found)
    clauses = {name: decide(claim, p_fail[name], 1 - thresholds.level) for name, claim in found.items()}
    failed = [clause.sentence for clause in clauses.values() if clause.passed is False]
    unsettled = [clause.sentence for clause in clauses.values() if clause.passed is None]
    of_all = measure(compare, "diversity")
    metrics = {
        "target_anomaly_rate_base": target.base,
        "target_anomaly_rate_tuned": target.tuned,
        "held_out_anomaly_rate_base": held_out.base,
        "held_out_anomaly_rate_tuned": held_out.tuned,
        "right_diversity_ratio": ratio.value,
        "right_diversity_ratio_bound": clauses["diversity"].bound,
        "diversity_ratio": number(of_all, "ratio"),
        "diversity_ratio_ci_low": number(of_all, "ratio_ci_low"),
        "diversity_ratio_ci_high": number(of_all, "ratio_ci_high"),
        "copy_rate": copies.k / copies.n if copies.n else None,
    }
    return Verdict(
        outcome=outcome_of(clause.passed for clause in clauses.values()),
        reasons=tuple(failed or unsettled or [clause.sentence for clause in clauses.values()]),
        scope=scope_of(target, held_out, thresholds, attempt),
        clauses=clauses,
        metrics=metrics,
        evidence=evidence,
        decides=who_decides(evidence, people or {}, str(measure(measure_tuned, "provenance").get("detector") or "")),
        exploratory=exploratory,
        attempt=attempt,
    )


def claims(
    target: Change, held_out: Change, *, ratio: Ratio, copies: Copies, thresholds: Thresholds
) -> dict[str, Claim]:
    """What the data say about every condition, by the name of its clause."""
    error = 1 - thresholds.level
    worst_rate = thresholds.max_target_rate + thresholds.worst_target_margin
    return {
        "target_drop": conditions.target_drop(target, thresholds.min_target_drop, error),
        "target_rate": conditions.target_rate(target, thresholds.max_target_rate, error),
        "worst_target_prompt": conditions.worst_target_prompt(target, worst_rate, error),
        "new_kinds": conditions.new_kinds(target, thresholds.max_kind_rise, error),
        "held_out": conditions.held_out_rise(held_out, thresholds.held_out_margin, error / 2),
        "worst_held_out_prompt": conditions.worst_held_out_prompt(held_out, thresholds.worst_held_out_rise, error),
        "diversity": conditions.diversity(ratio, thresholds.min_diversity_ratio, error),
        "memorisation": conditions.memorisation(copies, thresholds.max_copy_rate, error),
    }


def adjusted(claims: Mapping[str, Claim]) -> dict[str, float | None]:
    """By clause, p of the hypothesis that the truth is within its threshold, by Holm's correction over all clauses."""
    return holm({name: claim.tails.within if claim.tails else None for name, claim in claims.items()})


def outcome_of(passed: Iterable[bool | None]) -> Outcome:
    """`not_corrected` if a clause failed, else `inconclusive` if one is unsettled, else `corrected`."""
    passed = list(passed)
    return "not_corrected" if False in passed else "inconclusive" if None in passed else "corrected"


def scope_of(target: Change, held_out: Change, thresholds: Thresholds, attempt: int | None) -> tuple[str, ...]:
    """What the verdict is about, and what it cannot say, in sentences."""
    counts = f"{len(target.prompts)} target and {len(held_out.prompts)} held-out prompts"
    error = 1 - thresholds.level
    seeds = (
        "Its seeds are those of everyday runs, and whoever tries often enough passes there by luck: `make confirm`"
        " decides at seeds that nothing has looked at."
    )
    if attempt is not None:
        seeds = f"It is confirmation {attempt}, at seeds that nothing had looked at when its record was committed."
    sentences = [
        seeds,
        f"It is about new seeds of these {counts}, not about other prompts.",
        f"`corrected` and `not_corrected` are each wrong in at most {error:.3g} of runs whose truth is at a threshold.",
    ]
    if held_out.prompts:
        # With m prompts of which none is ruined, a share s of ruined prompts has probability (1 - s)^m.
        unseen = 1 - error ** (1 / len(held_out.prompts))
        sentences.append(
            f"Even if no held-out prompt got worse, up to {unseen:.0%} of the prompts that are like them may have:"
            f" {len(held_out.prompts)} prompts exclude no less."
        )
    return tuple(sentences)
