"""Does the correction carry over? The siblings of the target prompts, which nothing else in a run uses.

They are information: no clause is about them, and the verdict is the same without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.verdict.evidence import LABELS, Change, measure, number, read_change
from anomend.verdict.people import Evidence, read_people

KEY = "anomaly_rate_siblings"
"""In metrics/compare.json and metrics/people.json; not there where a run has no siblings."""


@dataclass(frozen=True, kw_only=True)
class Siblings:
    """The siblings' anomaly rates with both models."""

    change: Change
    ci_low: float | None
    ci_high: float | None
    """95% interval of the change; None where there is none."""
    words: ModelWords = BASE_AND_TUNED

    @property
    def delta(self) -> float | None:
        """Tuned minus base."""
        base, tuned = self.change.base, self.change.tuned
        return None if base is None or tuned is None else tuned - base

    def as_metrics(self) -> dict[str, Any]:
        """The object `siblings` of metrics/verdict.json."""
        change = self.change
        metrics: dict[str, Any] = {
            "base": change.base,
            "tuned": change.tuned,
            "delta": self.delta,
            "ci_low": self.ci_low,
            "ci_high": self.ci_high,
            "prompts": len(change.prompts),
            "pairs": change.pairs.seen if change.pairs else 0,
        }
        return metrics | ({"reason": change.reason} if change.pairs is None else {})

    def sentence(self) -> str:
        """The same in words, with what it says of the correction."""
        change, delta = self.change, self.delta
        if change.base is None or change.tuned is None or delta is None or change.pairs is None:
            return f"How the siblings of the target prompts fare is not known: {change.reason}."
        prompts = f"{len(change.prompts)} sibling{'s' * (len(change.prompts) != 1)} of the target prompts"
        pairs = f"{change.pairs.seen:,} {'labelled pairs' if change.unit == LABELS else 'pairs of images'}"
        models = self.words.the_base, self.words.tuned_model
        rates = f"{change.base:.1%} anomalous with {models[0]}, {change.tuned:.1%} with {models[1]}"
        sentence = f"{prompts}, which nothing else uses: {rates} ({100 * delta:+.1f} points"
        if self.ci_low is None or self.ci_high is None:
            return f"{sentence}, from {pairs}); no clause is about them."
        sentence += f", interval {100 * self.ci_low:+.1f} to {100 * self.ci_high:+.1f}, from {pairs})"
        return f"{sentence}: {self._meaning()}. No clause is about them."

    def _meaning(self) -> str:
        if self.change.caution:
            return f"which proves nothing, since {self.change.caution}"
        if self.ci_high is not None and self.ci_high < 0:
            alike = "the correction carries over to them"
            return alike if self.words == BASE_AND_TUNED else f"they are better with {self.words.tuned_model}"
        if self.ci_low is not None and self.ci_low > 0:
            return "they got worse" if self.words == BASE_AND_TUNED else f"they are worse with {self.words.tuned_model}"
        return "no change is shown"


def read_siblings(
    compare: Mapping[str, Any],
    measure_tuned: Mapping[str, Any],
    people: Mapping[str, Any],
    evidence: Evidence,
    *,
    words: ModelWords = BASE_AND_TUNED,
) -> Siblings | None:
    """What is known of the siblings, by whatever decides about anomalies; None where the run has none.

    Args:
        compare, measure_tuned, people: contents of these metric files.
        evidence: what decides.
        words: what the two models are called.
    """
    if KEY not in compare and KEY not in people:
        return None
    by_detector = evidence == "detector"
    change = read_change(compare, measure_tuned, KEY) if by_detector else read_people(people, KEY)
    source = measure(compare if by_detector else people, KEY)
    low, high = (number(source, end) if change.pairs else None for end in ("ci_low", "ci_high"))
    return Siblings(change=change, ci_low=low, ci_high=high, words=words)
