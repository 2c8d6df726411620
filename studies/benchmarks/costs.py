"""From repeated runs to costs per step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from studies.benchmarks.processes import Run


@dataclass(frozen=True)
class Spread:
    """Repeated measurements of one number."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    def show(self, digits: int) -> str:
        """`median (min .. max)`."""
        low, high = min(self.values), max(self.values)
        return f"{self.median:.{digits}f} ({low:.{digits}f} .. {high:.{digits}f})"

    def over(self, other: Spread) -> Spread:
        """Ratio repeat by repeat: both sides of a repeat ran one after the other."""
        return Spread(tuple(mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)))


@dataclass(frozen=True)
class StepCost:
    """What an optimizer step costs after warm-up, and the process around it."""

    seconds: Spread
    cpu_seconds: Spread
    once: Spread
    """Seconds of the process that do not depend on the number of steps."""
    peak_bytes: int
    """Largest of all repeats."""

    @property
    def measured(self) -> bool:
        """False where a longer run took no longer in some repeat: the steps are lost in the noise."""
        return min(self.seconds.values) > 0


def step_cost(pairs: Sequence[tuple[Run, Run]], short: int, long: int) -> StepCost:
    """Cost a step from pairs of runs that differ by `long - short` steps: start, loading, warm-up and saving cancel."""
    steps = long - short
    seconds = Spread(tuple((b.seconds - a.seconds) / steps for a, b in pairs))
    cpu = Spread(tuple((b.cpu_seconds - a.cpu_seconds) / steps for a, b in pairs))
    once = Spread(tuple(a.seconds - short * step for (a, _), step in zip(pairs, seconds.values, strict=True)))
    return StepCost(
        seconds=seconds, cpu_seconds=cpu, once=once, peak_bytes=max(max(a.peak_bytes, b.peak_bytes) for a, b in pairs)
    )
