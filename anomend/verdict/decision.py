"""The verdict on a correction: thresholds set before the run, one clause each, and how the clauses are combined.

Every clause passes, fails, or is unsettled (None): the figures are missing or do not carry a decision. A correction is
called corrected only when all clauses pass; one clear failure makes it not_corrected; anything else is inconclusive.
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

__all__ = ["Clause", "Decision", "Thresholds", "Verdict", "decide"]

Decision = Literal["corrected", "not_corrected", "inconclusive"]


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

    Diversity and copies are judged by their point estimates, as was settled before the runs; the interval of the
    diversity ratio stands beside, and the clause says when it includes the threshold. A rule by the interval's
    lower end would be another, stricter threshold.

    Args:
        compare: one object a measure (`base`, `tuned`, `delta` = tuned - base, `ci_low`, `ci_high`, `n`, `clusters`,
            `reason` where null, `caution` where they are no proof, so that no clause
            rests on them); read are `anomaly_rate_target`, `anomaly_rate_held_out` and `diversity`, and the
            level of the intervals, `provenance.confidence` (absent: 95%).
        measure_tuned: the tuned model's figures; read is `copy_rate`, and anomaly rates that are there must be the
            comparison's.
        thresholds: what was asked for before the run.

    Returns:
        The verdict. A figure that is absent, null, no finite number, impossible or in contradiction to another makes
        its clause unsettled, and the reason is carried through.
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
    decision: Decision = "not_corrected" if failed else "inconclusive" if unsettled else "corrected"
    figures = {
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
    return Verdict(decision, reasons, clauses, figures)


def _confidence(compare: Mapping[str, Any]) -> float:
    provenance = compare.get("provenance")
    level = number(provenance, "confidence") if isinstance(provenance, Mapping) else None
    return level if level is not None and 0.5 < level < 1 else 0.95
