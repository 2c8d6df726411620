"""The verdict on a correction: thresholds set before the run, one clause each, and how the clauses are combined.

Every clause passes, fails, or is unsettled (None), because its metrics are missing or do not settle it. The verdict is
`corrected` only if all clauses pass, `not_corrected` if one clause fails, and `inconclusive` otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from anomend.verdict.clauses import (
    Clause,
    clause_diversity,
    clause_held_out,
    clause_memorisation,
    clause_target_drop,
    clause_target_rate,
)
from anomend.verdict.evidence import number, rate, read_change, read_ratio

EXPLORATORY = "This was a quick run (level: quick), of few images and few steps: it proves nothing, whatever it says."

__all__ = ["Clause", "Outcome", "Thresholds", "Verdict", "reach_verdict"]

Outcome = Literal["corrected", "not_corrected", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
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
    """The share of target samples that copy a training image must not exceed this."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"{name} = {value}: a threshold of the verdict is a finite number, 0 or more")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome, its clauses by name, and the metrics that it rests on."""

    outcome: Outcome
    reasons: tuple[str, ...]
    """Sentences of the clauses that decided: the failed ones, else the unsettled ones, else all."""
    clauses: Mapping[str, Clause]
    metrics: Mapping[str, float | None]
    exploratory: bool = False
    """Whether the run was for a first impression, so that its outcome proves nothing."""

    def as_metrics(self) -> dict[str, Any]:
        """The content of metrics/verdict.json, without provenance."""
        clauses = {name: clause.as_metrics() for name, clause in self.clauses.items()}
        reasons = [EXPLORATORY, *self.reasons] if self.exploratory else list(self.reasons)
        return {
            "verdict": self.outcome,
            "exploratory": self.exploratory,
            "reasons": reasons,
            "clauses": clauses,
            **self.metrics,
        }


def reach_verdict(
    compare: Mapping[str, Any],
    measure_tuned: Mapping[str, Any],
    thresholds: Thresholds,
    *,
    exploratory: bool = False,
) -> Verdict:
    """Compare what was measured with the thresholds.

    Diversity and copies are judged by their point estimates, as was fixed before the runs. The diversity clause says
    when the interval of the ratio includes the threshold; a rule by the interval's lower end would be stricter.

    Args:
        compare: content of metrics/compare.json. Of `anomaly_rate_target`, `anomaly_rate_held_out` and `diversity` it
            reads `base`, `tuned`, `delta` = tuned - base, `ci_low`, `ci_high`, `n`, `clusters`, `reason` where a value
            is null, and `caution` where the rates are not proof, so that no clause rests on them. The level of the
            intervals is `provenance.confidence`, 95% if absent.
        measure_tuned: content of metrics/measure_tuned.json. It reads `copy_rate`, and checks that anomaly rates are
            those of the comparison.
        thresholds: what was asked for before the run.
        exploratory: the run was for a first impression.

    Returns:
        The verdict. A metric that is absent, null, not finite, impossible or contradicted by another leaves its clause
        unsettled, with the reason.
    """
    target, held_out = (
        read_change(compare, measure_tuned, f"anomaly_rate_{group}") for group in ("target", "held_out")
    )
    diversity, copy_rate = read_ratio(compare, "diversity"), rate(measure_tuned, "copy_rate")
    confidence = _confidence(compare)
    clauses = {
        "target_drop": clause_target_drop(target, thresholds.min_target_drop, confidence),
        "target_rate": clause_target_rate(target, thresholds.max_target_rate),
        "held_out": clause_held_out(held_out, thresholds.held_out_margin, confidence),
        "diversity": clause_diversity(diversity, thresholds.min_diversity_ratio, confidence),
        "memorisation": clause_memorisation(copy_rate, measure_tuned, thresholds.max_copy_rate),
    }
    failed = [clause.sentence for clause in clauses.values() if clause.passed is False]
    unsettled = [clause.sentence for clause in clauses.values() if clause.passed is None]
    outcome: Outcome = "not_corrected" if failed else "inconclusive" if unsettled else "corrected"
    metrics = {
        "target_anomaly_rate_base": target.base,
        "target_anomaly_rate_tuned": target.tuned,
        "held_out_anomaly_rate_base": held_out.base,
        "held_out_anomaly_rate_tuned": held_out.tuned,
        "diversity_ratio": diversity.value,
        "diversity_ratio_ci_low": diversity.ci_low,
        "diversity_ratio_ci_high": diversity.ci_high,
        "copy_rate": copy_rate,
    }
    reasons = tuple(failed or unsettled or [clause.sentence for clause in clauses.values()])
    return Verdict(outcome=outcome, reasons=reasons, clauses=clauses, metrics=metrics, exploratory=exploratory)


def _confidence(compare: Mapping[str, Any]) -> float:
    provenance = compare.get("provenance")
    level = number(provenance, "confidence") if isinstance(provenance, Mapping) else None
    return level if level is not None and 0.5 < level < 1 else 0.95
