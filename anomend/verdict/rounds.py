"""Sampling in rounds: each goes up to the next look, and only for prompts that a clause still needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anomend.verdict.decision import Sampled
from anomend.verdict.evidence import read_findings
from anomend.verdict.looks import Group, LookPlan, Looks

SIBLINGS = "siblings"
"""The group of the prompts that no clause is about."""
Seeds = dict[Group, dict[str, int]]
"""By group and prompt, how many seeds are sampled."""
Prompts = Mapping[Group, Sequence[str]]
Metrics = Mapping[str, Any]
Measure = Callable[[Seeds], tuple[Metrics, Metrics]]
"""Samples these seeds with both models, and returns what metrics/compare.json and metrics/measure_tuned.json will say
of them, as far as the verdict reads it."""


@dataclass(kw_only=True)
class Rounds:
    """How far sampling went, and what was seen on the way."""

    seeds: Seeds
    look: int = 1
    stopped: str = "last look"
    """Why: `last look`, `every clause is shown`, or `a clause failed`."""
    earlier: list[dict[str, Metrics]] = field(default_factory=list)
    """What was seen at the looks before the last: `compare` and `measure_tuned`."""

    def as_metrics(self, plan: LookPlan, siblings: Sequence[str] = ()) -> dict[str, Any]:
        """The content of metrics/looks.json, without provenance. `dvc metrics diff` leaves its lists out.

        Args:
            plan: when the clauses were looked at.
            siblings: prompts that no clause is about. They are sampled once, with as many seeds as held-out prompts
                have at the last look, and are not counted among the images that the verdict rests on.
        """
        prompts: Prompts = {group: list(seeds) for group, seeds in self.seeds.items()}
        planned = all_seeds(prompts, plan, len(plan.shares))
        return {
            "looks": len(plan.shares),
            "look": self.look,
            "stopped": self.stopped,
            "images": images_of(self.seeds),
            "images_planned": images_of(planned),
            "seeds": [
                {"group": group, "prompt": prompt, "seeds": count}
                for group, of_group in (self.seeds | all_seeds({SIBLINGS: siblings}, plan, len(plan.shares))).items()
                for prompt, count in of_group.items()
            ],
            "earlier": self.earlier,
        }


def images_of(seeds: Seeds) -> int:
    """Images of both models."""
    return 2 * sum(count for prompts in seeds.values() for count in prompts.values())


def sampled_of(metrics: Metrics, plan: LookPlan) -> Sampled | None:
    """How far sampling went, by the content of metrics/looks.json; None where the plan has one look."""
    if len(plan.shares) == 1:
        return None
    return Sampled(
        look=metrics["look"],
        looks=metrics["looks"],
        share=plan.shares[metrics["look"] - 1],
        images=metrics["images"],
        images_planned=metrics["images_planned"],
    )


def all_seeds(prompts: Prompts, plan: LookPlan, look: int) -> Seeds:
    """The seeds of every prompt at a look."""
    return {group: dict.fromkeys(texts, plan.seeds(group, look)) for group, texts in prompts.items()}


def sample_in_rounds(looks: Looks, prompts: Prompts, measure: Measure) -> Rounds:
    """Sample up to one look after the other, until the verdict is settled or the last look is reached.

    Args:
        looks: none taken yet.
        prompts: by group.
        measure: samples and measures.

    Returns:
        The rounds. Where the plan has one look, nothing is sampled here: there is nothing to decide before it.
    """
    plan = looks.plan
    if len(plan.shares) == 1:
        return Rounds(seeds=all_seeds(prompts, plan, 1))
    rounds = Rounds(seeds=all_seeds(prompts, plan, 1))
    while True:
        compare, tuned = measure(rounds.seeds)
        looks.take(read_findings(compare, tuned))
        outcome = looks.outcome()
        if outcome != "inconclusive":
            rounds.stopped = "a clause failed" if outcome == "not_corrected" else "every clause is shown"
        if outcome != "inconclusive" or rounds.look == len(plan.shares):
            return rounds
        rounds.earlier.append({"compare": compare, "measure_tuned": tuned})
        rounds.look += 1
        for group, seeds in rounds.seeds.items():
            further = {prompt: plan.seeds(group, rounds.look) for prompt in seeds if looks.needs(group, prompt)}
            rounds.seeds[group] = seeds | further
