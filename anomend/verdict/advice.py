"""What would settle an unsettled clause: how many seeds per prompt, or how many prompts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from anomend.statistics import prompts_to_settle, seeds_to_settle
from anomend.statistics.effect import MIN_PAIRS
from anomend.statistics.planning import MOST_SEEDS
from anomend.verdict.evidence import Change, Ratio

POWER = 0.8
"""Share of repetitions in which the advised number of images settles the clause, if the true change is the one seen."""


@dataclass(frozen=True)
class Advice:
    """How many images would settle a clause, in words and numbers."""

    sentence: str
    seeds_per_prompt: int | None = None
    prompts: int | None = None

    def as_metrics(self) -> dict[str, float]:
        """The numbers; empty where there are none."""
        named = {"seeds_per_prompt": self.seeds_per_prompt, "prompts": self.prompts}
        numbers: dict[str, float] = {name: value for name, value in named.items() if value is not None}
        return numbers | {"power": POWER} if numbers else {}


def pairs_for_an_interval(change: Change) -> Advice | None:
    """How many pairs an interval takes; None where the number of pairs is not the problem."""
    if change.clusters < 1 or change.n >= MIN_PAIRS:
        return None
    seeds = math.ceil(MIN_PAIRS / change.clusters)
    return Advice(f"An interval takes {MIN_PAIRS} pairs of images: {seeds} seeds per prompt or more.")


def seeds_for_a_change(change: Change, bound: float, confidence: float) -> Advice:
    """How many seeds per prompt move the interval's end below `bound`, if the true change is the one that was seen.

    With the advised number the interval ends below the bound in 80% of repetitions (`POWER`). The change that was seen
    is itself uncertain, so the advice is a next step, not a promise.

    Args:
        change: the rate on both models.
        bound: what the interval must end below, such as 0 or a margin.
        confidence: level of the interval.
    """
    more = "More seeds are needed"
    if change.spread is None or change.delta is None:
        return Advice(f"{more}.")
    distance, clusters = bound - change.delta, change.clusters
    now = change.n // clusters
    if change.spread.seeds == change.spread.prompts == 0 == change.delta and distance > 0:
        seeds = _seeds_without_a_difference(distance, clusters, confidence)
        if seeds > MOST_SEEDS:
            return Advice(f"{more}: above {MOST_SEEDS:,} per prompt (now {now}), even if no pair differs there either.")
        return Advice(f"{more}: about {seeds} per prompt (now {now}), if no pair differs there either.", seeds)
    seeds_needed = seeds_to_settle(distance, change.spread, confidence=confidence, power=POWER)
    assumption = f"if the true change is the one seen, with a power of {POWER:.0%}"
    if seeds_needed is not None:
        # With another kind of interval, or unequal numbers of seeds, the advice may not exceed today's number.
        if seeds_needed <= now:
            return Advice(f"{more}.")
        return Advice(f"{more}: {seeds_needed} per prompt (now {now}) settle it {assumption}.", seeds_needed)
    prompts = prompts_to_settle(distance, change.spread, now, confidence=confidence, power=POWER)
    if prompts is None or prompts <= clusters:
        return Advice("Neither more seeds nor more prompts promise to settle it: the change seen is at the bound.")
    why = f"The {clusters} prompts differ too much for more seeds of them to settle it"
    return Advice(f"{why}: {prompts} prompts of {now} seeds each do {assumption}.", prompts=prompts)


def images_for_a_ratio(ratio: Ratio, threshold: float, confidence: float = 0.95) -> int | None:
    """Images per prompt for which the ratio's interval excludes the threshold, if the true ratio is the one seen.

    The interval shortens with the square root of the number of images.

    Args:
        ratio: tuned over base with its interval.
        threshold: what the interval should exclude.
        confidence: level of the interval.

    Returns:
        The number of images; None without an interval, where the ratio is at the threshold, or from 10,000 on.
    """
    end = ratio.ci_low if ratio.value is not None and ratio.value >= threshold else ratio.ci_high
    if ratio.value is None or end is None or ratio.value == threshold or ratio.seeds_per_prompt < 1:
        return None
    # Half the interval plus the quantile of the power: (1.96 + 0.84) / 1.96 at 95%.
    longer = 1 + float(NormalDist().inv_cdf(POWER) / NormalDist().inv_cdf(0.5 + confidence / 2))
    times = longer * (end - ratio.value) / (ratio.value - threshold)
    needed = ratio.seeds_per_prompt * times * times
    return math.ceil(needed) if needed < 10_000 else None


def _seeds_without_a_difference(margin: float, clusters: int, confidence: float) -> int:
    # Wilson's upper end at 0 of n is z^2 / (n + z^2).
    z = float(NormalDist().inv_cdf(0.5 + confidence / 2))
    pairs = math.floor(z**2 * (1 / margin - 1)) + 1
    return math.ceil(max(MIN_PAIRS, pairs) / clusters)
