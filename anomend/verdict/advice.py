"""What would settle a clause that its figures left open: how many seeds a prompt, or how many prompts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import norm

from anomend.statistics import prompts_to_settle, seeds_to_settle
from anomend.statistics.effect import MIN_PAIRS
from anomend.statistics.planning import MOST_SEEDS
from anomend.verdict.evidence import Change, Ratio

POWER = 0.8


@dataclass(frozen=True)
class Advice:
    """How many images a clause takes, in words and numbers."""

    sentence: str
    seeds_per_prompt: int | None = None
    prompts: int | None = None

    def as_metrics(self) -> dict[str, float]:
        """The numbers; empty where there are none."""
        found = {"seeds_per_prompt": self.seeds_per_prompt, "prompts": self.prompts}
        numbers: dict[str, float] = {name: value for name, value in found.items() if value is not None}
        return numbers | {"power": POWER} if numbers else {}


def pairs_for_an_interval(change: Change) -> Advice | None:
    """Too few pairs for any interval: how many there must be. None where the lack is another one."""
    if change.clusters < 1 or change.n >= MIN_PAIRS:
        return None
    seeds = math.ceil(MIN_PAIRS / change.clusters)
    return Advice(f"An interval takes {MIN_PAIRS} pairs of images: {seeds} seeds a prompt or more.")


def seeds_for_a_change(change: Change, bound: float, confidence: float) -> Advice:
    """How many seeds a prompt move the interval's end below `bound`, if the true change is the one that was seen.

    With the advised number the interval ends below the bound in 80% of repetitions (`POWER`). What was seen is itself
    uncertain: the advice is where to go next, no promise.
    """
    more = "More seeds are needed"
    if change.spread is None or change.delta is None:
        return Advice(f"{more}.")
    distance, clusters = bound - change.delta, change.clusters
    now = change.n // clusters
    if change.spread.seeds == change.spread.prompts == 0 == change.delta and distance > 0:
        seeds = _seeds_without_a_difference(distance, clusters, confidence)
        if seeds > MOST_SEEDS:
            return Advice(f"{more}: above {MOST_SEEDS:,} a prompt (now {now}), even if no pair differs there either.")
        return Advice(f"{more}: about {seeds} a prompt (now {now}), if no pair differs there either.", seeds)
    seeds_needed = seeds_to_settle(distance, change.spread, confidence=confidence, power=POWER)
    assumption = f"if the true change is the one seen, with a power of {POWER:.0%}"
    if seeds_needed is not None:
        # An interval that was made in another way, or prompts of unequal numbers, can leave no number above today's.
        if seeds_needed <= now:
            return Advice(f"{more}.")
        return Advice(f"{more}: {seeds_needed} a prompt (now {now}) settle it {assumption}.", seeds_needed)
    prompts = prompts_to_settle(distance, change.spread, now, confidence=confidence, power=POWER)
    if prompts is None or prompts <= clusters:
        return Advice("Neither more seeds nor more prompts promise to settle it: the change seen is at the bound.")
    why = f"The {clusters} prompts differ too much for more seeds of them to settle it"
    return Advice(f"{why}: {prompts} prompts of {now} seeds each do {assumption}.", prompts=prompts)


def images_for_a_ratio(ratio: Ratio, threshold: float, confidence: float = 0.95) -> int | None:
    """Images a prompt for which the ratio's interval clears the threshold, if the true ratio is the one that was seen.

    The interval, of the level `confidence`, shortens with the root of the number of images. None where there is no
    interval, or no number.
    """
    end = ratio.ci_low if ratio.value is not None and ratio.value >= threshold else ratio.ci_high
    if ratio.value is None or end is None or ratio.value == threshold or ratio.seeds_per_prompt < 1:
        return None
    # The interval's half length plus what the power takes: (1.96 + 0.84) / 1.96 at 95%.
    longer = 1 + float(norm.ppf(POWER) / norm.ppf(0.5 + confidence / 2))
    times = longer * (end - ratio.value) / (ratio.value - threshold)
    needed = ratio.seeds_per_prompt * times * times
    return math.ceil(needed) if needed < 10_000 else None


def _seeds_without_a_difference(margin: float, clusters: int, confidence: float) -> int:
    # Wilson's upper end at 0 of n is z^2 / (n + z^2).
    z = float(norm.ppf(0.5 + confidence / 2))
    pairs = math.floor(z**2 * (1 / margin - 1)) + 1
    return math.ceil(max(MIN_PAIRS, pairs) / clusters)
