"""How many seeds per prompt would settle a clause that is not settled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

POWER = 0.8
"""Share of repetitions in which the advised number of seeds shows what is asked, if the truth is what was seen."""
MOST_SEEDS = 10_000
"""Beyond this many seeds per prompt no advice is given."""


@dataclass(frozen=True)
class Advice:
    """How many seeds would settle a clause, in words and as a number."""

    sentence: str
    seeds_per_prompt: int | None = None
    unit: str = "seeds"
    """What the number counts: seeds, or pairs that people label."""

    def as_metrics(self) -> dict[str, float]:
        """The number; empty where there is none."""
        if self.seeds_per_prompt is None:
            return {}
        return {f"{self.unit.replace(' ', '_')}_per_prompt": self.seeds_per_prompt, "power": POWER}


def seeds_to_show(
    figure: float, *, bound: float, threshold: float, error: float, seeds_per_prompt: int, unit: str = "seeds"
) -> Advice:
    """How many seeds per prompt would show that the truth is within the limit, if it is what was seen.

    A bound comes closer to its figure with the square root of the number of images. What was seen is itself uncertain,
    so the advice is a next step, not a promise.

    Args:
        figure: what was seen.
        bound: of the figure, with today's images, at the error; beyond the threshold.
        threshold: what the truth is to be within.
        error: p at which the clause passes, such as .05.
        seeds_per_prompt: today's number.
        unit: what is counted: `seeds`, or `labelled pairs` where people decide.
    """
    inside = (threshold - figure) * math.copysign(1.0, bound - figure)
    if inside <= 0 or seeds_per_prompt < 1:
        return Advice(f"More {unit} may settle it, but what was seen does not promise that they show it.")
    normal = NormalDist()
    longer = (1 + normal.inv_cdf(POWER) / normal.inv_cdf(1 - error)) * abs(bound - figure) / inside
    needed = math.ceil(seeds_per_prompt * longer**2)
    if needed > MOST_SEEDS:
        needs = f"More than {MOST_SEEDS:,} {unit} per prompt (now {seeds_per_prompt}) are needed to show it"
        return Advice(f"{needs}, if the truth is what was seen.")
    now = f"{needed:,} {unit} per prompt (now {seeds_per_prompt})"
    return Advice(f"{now} show it with a power of {POWER:.0%}, if the truth is what was seen.", needed, unit)
