"""The true states and designs over which the verdict is simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from anomend.verdict.claims import Thresholds

THRESHOLDS = Thresholds(
    min_target_drop=0.3, max_target_rate=0.15, held_out_margin=0.05, min_diversity_ratio=0.7, max_copy_rate=0.1
)
"""Those of the default profile."""


@dataclass(frozen=True)
class Design:
    """Numbers of prompts and seeds per prompt."""

    targets: int
    target_seeds: int
    held_out: int
    held_out_seeds: int

    @property
    def images(self) -> int:
        """Of both models."""
        return 2 * (self.targets * self.target_seeds + self.held_out * self.held_out_seeds)

    def __str__(self) -> str:
        return f"{self.targets}x{self.target_seeds}/{self.held_out}x{self.held_out_seeds}"


@dataclass(frozen=True)
class Truth:
    """What is true of a correction at new seeds of these prompts; rates and rises from -1 to 1."""

    name: str
    base: float = 0.79
    """Anomaly rate of every target prompt, base model."""
    tuned: float = 0.08
    """The same, tuned model."""
    worst_tuned: float | None = None
    """Of the first target prompt, where it differs."""
    held_out_base: float = 0.03
    held_out_rise: float = 0.0
    """Of every held-out prompt."""
    worst_rise: float | None = None
    """Of the first held-out prompt, where it differs."""
    new_kind: float = 0.3
    """Share of the tuned model's anomalies that are of one kind that the base model does not draw."""
    diversity: float = 0.85
    copies: float = 0.01

    def tuned_rates(self, prompts: int) -> list[float]:
        """By target prompt."""
        return [self.tuned if self.worst_tuned is None else self.worst_tuned, *[self.tuned] * (prompts - 1)]

    def held_out_rises(self, prompts: int) -> list[float]:
        """By held-out prompt."""
        first = self.held_out_rise if self.worst_rise is None else self.worst_rise
        return [first, *[self.held_out_rise] * (prompts - 1)]

    def slack(self, design: Design) -> float:
        """How far the truth is within all thresholds; 0: at one; below 0: beyond one."""
        rates, rises = self.tuned_rates(design.targets), self.held_out_rises(design.held_out)
        rate, rise = sum(rates) / len(rates), sum(rises) / len(rises)
        slacks = (
            self.base - rate - THRESHOLDS.min_target_drop,
            THRESHOLDS.max_target_rate - rate,
            THRESHOLDS.max_target_rate + THRESHOLDS.worst_target_margin - max(rates),
            THRESHOLDS.max_kind_rise - self.new_kind * rate,
            THRESHOLDS.held_out_margin - rise,
            THRESHOLDS.worst_held_out_rise - max(rises),
            self.diversity - THRESHOLDS.min_diversity_ratio,
            THRESHOLDS.max_copy_rate - self.copies,
        )
        # Sums of shares carry rounding, which must not turn "at the limit" into "within".
        return min(round(slack, 9) for slack in slacks)


GOOD = Truth("clearly good")
TRUTHS = (
    GOOD,
    Truth("committed run's figures", base=0.789, tuned=0.066, diversity=0.9, copies=0.004, held_out_rise=-0.012),
    Truth("within every limit", tuned=0.13, diversity=0.73, copies=0.05),
    Truth("nothing changed", tuned=0.79, diversity=1.0, new_kind=0.0),
    *(replace(GOOD, name=f"target rate {rate:.2f}", tuned=rate) for rate in (0.15, 0.17, 0.20)),
    *(replace(GOOD, name=f"drop {drop:.2f}", base=0.08 + drop) for drop in (0.30, 0.28, 0.25)),
    *(replace(GOOD, name=f"diversity {ratio:.2f}", diversity=ratio) for ratio in (0.70, 0.69, 0.65)),
    *(replace(GOOD, name=f"copies {share:.2f}", copies=share) for share in (0.10, 0.12)),
    *(replace(GOOD, name=f"held-out +{100 * rise:.0f}", held_out_rise=rise) for rise in (0.05, 0.08)),
    replace(GOOD, name="one held-out prompt +15", worst_rise=0.15),
    replace(GOOD, name="one held-out prompt +50", worst_rise=0.50),
    replace(GOOD, name="one target prompt at 0.25", worst_tuned=0.25),
    replace(GOOD, name="one target prompt not corrected", worst_tuned=0.79),
    replace(GOOD, name="a new kind +8", tuned=0.10, new_kind=0.8),
    replace(GOOD, name="a new kind +10", tuned=0.12, new_kind=10 / 12),
)

WITH_LOOKS = Design(2, 160, 6, 96)
"""The default profile's, with the seeds of held-out prompts that docs/verdict.md asks for where looks are declared."""
DESIGNS = (
    Design(2, 160, 6, 80),
    WITH_LOOKS,
    Design(2, 128, 7, 64),
    Design(2, 128, 8, 64),
    Design(10, 128, 8, 64),
    Design(1, 16, 1, 64),
    Design(2, 16, 8, 16),
    Design(3, 8, 3, 64),
    Design(5, 16, 5, 16),
    Design(10, 16, 10, 64),
)
"""That of the default profile first, then with looks, then that of the profiles of real bases."""


def in_order(rows: Sequence[dict[Any, Any]]) -> pd.DataFrame:
    """Rows of cells as a table, by design and truth in the order of `DESIGNS` and `TRUTHS`."""
    designs, truths = [str(design) for design in DESIGNS], [truth.name for truth in TRUTHS]

    def place(row: dict[Any, Any]) -> tuple[int, int]:
        return designs.index(row["design"]), truths.index(row["truth"])

    ordered: list[dict[Any, Any]] = sorted(rows, key=place)
    return pd.DataFrame(ordered)
