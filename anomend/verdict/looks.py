"""The clauses, looked at again and again while images come in: sampling stops as soon as the verdict is settled.

How much a run may err is shared out over its looks (`anomend.statistics.sequential`), so that the whole verdict errs as
rarely as with a single look. A clause that was shown stays shown: its own test has then passed with its own error,
whatever comes later. The same holds for each prompt of the clauses about the worst prompt, so a prompt is sampled only
while a clause needs it. A clause fails at a level that is shared out over clauses (Bonferroni, then Holm) and looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from anomend.params.params import Params
from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.statistics.sequential import spent_levels
from anomend.verdict.claims import Outcome, Thresholds, adjusted, claims, outcome_of
from anomend.verdict.clauses import Claim, Clause, decide, settle, worst
from anomend.verdict.evidence import Change, Findings, Pairs

Group = str
"""`target` or `held_out`."""
OF_HELD_OUT = frozenset({"held_out", "worst_held_out_prompt"})
"""Clauses about the held-out prompts; the others are about the target prompts."""
BY_PROMPT: Mapping[Group, str] = {"target": "worst_target_prompt", "held_out": "worst_held_out_prompt"}
"""The clause that each prompt of a group has to pass by itself."""


@dataclass(frozen=True, kw_only=True)
class LookPlan:
    """When the clauses are looked at."""

    shares: tuple[float, ...] = (1.0,)
    """Of the seeds of each prompt, at each look: rising to 1."""
    target_seeds: int = 1
    """Seeds of each target prompt at the last look."""
    held_out_seeds: int = 1
    """Seeds of each held-out prompt at the last look."""

    def seeds(self, group: Group, look: int) -> int:
        """Seeds of a prompt that is sampled up to a look, counted from 1."""
        # 0.7 * 10 is a little more than 7 in floats.
        return math.ceil(self.shares[look - 1] * self._planned(group) - 1e-9)

    def level(self, group: Group, look: int, error: float) -> float:
        """The level of a test at a look, if it may err with probability `error` at all looks together."""
        return _levels(self, group, error)[look - 1]

    def _planned(self, group: Group) -> int:
        return self.target_seeds if group == "target" else self.held_out_seeds


def look_plan(params: Params) -> LookPlan:
    """The plan that the parameters declare."""
    return LookPlan(
        shares=tuple(params.verdict.looks),
        target_seeds=params.sample.target_seeds_per_prompt,
        held_out_seeds=params.sample.held_out_seeds_per_prompt,
    )


@cache
def _levels(plan: LookPlan, group: Group, error: float) -> tuple[float, ...]:
    seeds = [plan.seeds(group, look) for look in range(1, len(plan.shares) + 1)]
    return spent_levels([count / seeds[-1] for count in seeds], error)


class Looks:
    """How the clauses stand, look by look."""

    def __init__(self, thresholds: Thresholds, plan: LookPlan, words: ModelWords = BASE_AND_TUNED) -> None:
        self.thresholds, self.plan, self.words = thresholds, plan, words
        self.taken = 0
        """Looks so far."""
        self._claims: dict[str, Claim] = {}
        self._shown: set[str] = set()
        self._prompts: dict[Group, dict[str, tuple[Pairs, float]]] = {"target": {}, "held_out": {}}

    def take(self, findings: Findings) -> None:
        """Look at what the images so far say."""
        self.taken += 1
        findings = replace(
            findings,
            target=self._with_shown_prompts("target", findings.target),
            held_out=self._with_shown_prompts("held_out", findings.held_out),
        )
        for name, found in claims(findings, self.thresholds, self.words).items():
            if name not in self._shown:
                group = group_of(name)
                claim = replace(found, error=self.plan.level(group, self.taken, found.error))
                shown = claim.tails is not None and claim.tails.beyond <= claim.error
                if name == BY_PROMPT[group]:
                    prompts = (findings.target if group == "target" else findings.held_out).prompts
                    shown, claim = self._by_prompt(claim, group, prompts)
                if shown:
                    self._shown.add(name)
                    claim = replace(claim, remark=f"{claim.remark} {self._when(group)}".strip())
                self._claims[name] = claim

    def passed(self) -> dict[str, bool | None]:
        """By clause, whether it is shown (True), excluded (False) or unsettled (None)."""
        p_fail = adjusted(self._claims)
        return {
            name: True if name in self._shown else settle(claim, p_fail[name], self.fail_level(name))
            for name, claim in self._claims.items()
        }

    def clauses(self) -> dict[str, Clause]:
        """The clauses as they stand."""
        p_fail = adjusted(self._claims)
        count = sum(p is not None for p in p_fail.values())
        return {
            name: decide(claim, p_fail[name], self.fail_level(name), shown=name in self._shown, clauses=count)
            for name, claim in self._claims.items()
        }

    def outcome(self) -> Outcome:
        """The verdict as it stands; `inconclusive` as long as further looks may settle it."""
        return outcome_of(self.passed().values())

    def needs(self, group: Group, prompt: str) -> bool:
        """Whether a clause that is not shown yet needs further images of a prompt."""
        open_clauses = {name for name in self._claims if group_of(name) == group} - self._shown
        return bool(open_clauses - {BY_PROMPT[group]}) or (bool(open_clauses) and prompt not in self._prompts[group])

    def fail_level(self, name: str) -> float:
        """The adjusted p at which a clause fails at this look."""
        count = len(self._claims)
        return count * self.plan.level(group_of(name), self.taken, (1 - self.thresholds.level) / count)

    def _with_shown_prompts(self, group: Group, change: Change) -> Change:
        """The change, with the pairs of each prompt that was shown as they were then."""
        shown = {prompt: pairs for prompt, (pairs, _) in self._prompts[group].items() if prompt in change.prompts}
        return replace(change, prompts={**change.prompts, **shown})

    def _by_prompt(self, claim: Claim, group: Group, prompts: Mapping[str, Pairs]) -> tuple[bool, Claim]:
        """Whether each prompt is shown, now or before; and the claim, at the level by which the worst was shown."""
        if claim.tails is None:
            return False, claim
        shown = self._prompts[group]
        for prompt, tails in claim.parts.items():
            if prompt not in shown and tails.beyond <= claim.error:
                shown[prompt] = prompts[prompt], claim.error
        if not claim.parts.keys() <= shown.keys():
            return False, claim
        return True, replace(claim, error=shown[worst(claim.parts)[0]][1])

    def _when(self, group: Group) -> str:
        if len(self.plan.shares) == 1:
            return ""
        seeds = f"{self.plan.seeds(group, self.taken)} of up to {self.plan.seeds(group, len(self.plan.shares))}"
        return f"Settled at look {self.taken} of {len(self.plan.shares)}, with {seeds} seeds per prompt."


def group_of(name: str) -> Group:
    """The prompts that a clause is about."""
    return "held_out" if name in OF_HELD_OUT else "target"
