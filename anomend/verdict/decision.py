"""The verdict on a correction: thresholds set before the run, one clause each, and how the clauses are combined.

It is an intersection-union test (Berger 1982, doi:10.1080/00401706.1982.10487790): a clause passes where its own test
shows, with an error of 5% or less, that the truth is within its threshold. The verdict is `corrected` only if all pass,
so it errs in at most 5% without a correction for their number. A clause fails only where the opposite test shows that
the truth is beyond the threshold; since any clause may fail, Holm's correction over the clauses keeps the chance that a
model within all thresholds is `not_corrected` at 5%. Everything else is `inconclusive`. The truth is that of these
prompts at new seeds. Where looks are declared, all this is said of them together (`anomend.verdict.looks`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.statistics.sequential import spent
from anomend.verdict.claims import Outcome, Thresholds
from anomend.verdict.clauses import Clause
from anomend.verdict.evidence import Change, Findings, measure, number, read_findings
from anomend.verdict.looks import LookPlan, Looks
from anomend.verdict.people import Evidence, read_people, who_decides
from anomend.verdict.siblings import Siblings, read_siblings

EXPLORATORY = "This was a quick run (level: quick), of few images and few steps: it proves nothing, whatever it says."

__all__ = ["Clause", "Outcome", "Thresholds", "Verdict", "reach_verdict"]


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """How far sampling went, where looks are declared."""

    look: int
    """The last look, from 1."""
    looks: int
    """Looks that were planned."""
    share: float
    """Of the seeds at that look, above 0, at most 1."""
    images: int
    """Of both models, that the verdict rests on."""
    images_planned: int
    """Of both models, if no look had settled anything."""

    def as_metrics(self, error: float) -> dict[str, Any]:
        """The object `looks` of metrics/verdict.json."""
        images = {"images": self.images, "images_planned": self.images_planned}
        return {"look": self.look, "planned": self.looks, "error_spent": round(spent(self.share, error), 9), **images}

    def sentence(self, error: float) -> str:
        """The same in words."""
        return (
            f"It was reached at look {self.look} of {self.looks}, with {self.images:,} of up to"
            f" {self.images_planned:,} images; the looks so far may err in {spent(self.share, error):.3g}, all"
            f" together in {error:.3g}. Estimates of a run that stopped early lie a little too far from the limits."
        )


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
    tuned_model: str = ""
    """What the tuned model is and costs, in sentences; empty for a LoRA."""
    attempt: int | None = None
    """Which confirmation this is, counted from 1; None: it is at everyday seeds."""
    looks: Mapping[str, Any] | None = None
    """How far sampling went; None where there is one look, at all images."""
    siblings: Siblings | None = None
    """Prompts like the target ones, which no clause is about; None where the run has none."""

    def as_metrics(self) -> dict[str, Any]:
        """The content of metrics/verdict.json, without provenance."""
        clauses = {name: clause.as_metrics() for name, clause in self.clauses.items()}
        first = [sentence for sentence in (EXPLORATORY * self.exploratory, self.tuned_model, self.decides) if sentence]
        reasons = [*first, *self.reasons]
        return {
            "verdict": self.outcome,
            "evidence": self.evidence,
            "exploratory": self.exploratory,
            "confirmation": self.attempt,
            "looks": self.looks,
            "decides": self.decides,
            "reasons": reasons,
            "scope": list(self.scope),
            "clauses": clauses,
            **({"siblings": self.siblings.as_metrics()} if self.siblings else {}),
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
    tuned_model: str = "",
    attempt: int | None = None,
    plan: LookPlan | None = None,
    earlier: Sequence[Findings] = (),
    sampled: Sampled | None = None,
    words: ModelWords = BASE_AND_TUNED,
) -> Verdict:
    """Compare what was measured with the thresholds.

    Args:
        compare: content of metrics/compare.json. Of `anomaly_rate_target` and `anomaly_rate_held_out` it reads `base`,
            `tuned`, the counts of pairs by prompt and by kind of anomaly (`prompts`, `kinds`), `reason` where a value
            is null, and `caution` where the rates are not proof, so that no clause rests on them;
            `anomaly_rate_siblings`, if it is there; and `diversity_right`.
        measure_tuned: content of metrics/measure_tuned.json. It reads `copy_rate`, and checks that anomaly rates are
            those of the comparison.
        thresholds: what was asked for before the run.
        evidence: what decides about anomalies: the detector, people, or both together; chosen before the run.
        people: content of metrics/people.json, of which the anomaly rates are read where people decide. Diversity and
            copies rest on features of all images all the same.
        survey: content of metrics/survey.json, for the clause `preference`, if it is asked for.
        exploratory: the run was for a first impression.
        tuned_model: what the tuned model is and costs, in sentences; empty for a LoRA.
        attempt: which confirmation this is; None: none, the seeds are those of everyday runs.
        plan: when the clauses are looked at; None: once.
        earlier: what was found at the looks before the last one, of which the metrics are.
        sampled: how far sampling went, where looks are declared.
        words: what the two models are called.

    Returns:
        The verdict. A metric that is absent, null, not finite, impossible or contradicted by another leaves its clause
        unsettled, with the reason.
    """
    findings = read_findings(compare, measure_tuned, survey)
    if evidence != "detector":
        by_people = [read_people(people or {}, f"anomaly_rate_{group}") for group in ("target", "held_out")]
        findings = replace(findings, target=by_people[0], held_out=by_people[1])
    looks = Looks(thresholds, plan or LookPlan(), words)
    for each in [*earlier, findings]:
        looks.take(each)
    target, held_out, copies, clauses = findings.target, findings.held_out, findings.copies, looks.clauses()
    failed = [clause.sentence for clause in clauses.values() if clause.passed is False]
    unsettled = [clause.sentence for clause in clauses.values() if clause.passed is None]
    of_all = measure(compare, "diversity")
    siblings = read_siblings(compare, measure_tuned, people or {}, evidence, words=words)
    metrics = {
        "target_anomaly_rate_base": target.base,
        "target_anomaly_rate_tuned": target.tuned,
        "held_out_anomaly_rate_base": held_out.base,
        "held_out_anomaly_rate_tuned": held_out.tuned,
        "right_diversity_ratio": findings.ratio.value,
        "right_diversity_ratio_bound": clauses["diversity"].bound,
        "diversity_ratio": number(of_all, "ratio"),
        "diversity_ratio_ci_low": number(of_all, "ratio_ci_low"),
        "diversity_ratio_ci_high": number(of_all, "ratio_ci_high"),
        "copy_rate": copies.k / copies.n if copies.n else None,
    }
    return Verdict(
        outcome=looks.outcome(),
        reasons=tuple(failed or unsettled or [clause.sentence for clause in clauses.values()]),
        scope=scope_of(target, held_out, thresholds, attempt=attempt, sampled=sampled, siblings=siblings),
        clauses=clauses,
        metrics=metrics,
        evidence=evidence,
        decides=who_decides(evidence, people or {}, str(measure(measure_tuned, "provenance").get("detector") or "")),
        exploratory=exploratory,
        tuned_model=tuned_model,
        attempt=attempt,
        looks=sampled.as_metrics(1 - thresholds.level) if sampled else None,
        siblings=siblings,
    )


def scope_of(
    target: Change,
    held_out: Change,
    thresholds: Thresholds,
    *,
    attempt: int | None = None,
    sampled: Sampled | None = None,
    siblings: Siblings | None = None,
) -> tuple[str, ...]:
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
    if siblings:
        sentences.append(siblings.sentence())
    if sampled:
        sentences.append(sampled.sentence(error))
    if held_out.prompts:
        # With m prompts of which none is ruined, a share s of ruined prompts has probability (1 - s)^m.
        unseen = 1 - error ** (1 / len(held_out.prompts))
        sentences.append(
            f"Even if no held-out prompt got worse, up to {unseen:.0%} of the prompts that are like them may have:"
            f" {len(held_out.prompts)} prompts exclude no less."
        )
    return tuple(sentences)
