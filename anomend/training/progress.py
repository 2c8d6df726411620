"""What a training run has come to: its curves and looks, as they go into its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from anomend.training.monitoring import Look, Looks


@dataclass
class Progress:
    """Steps done, and what was seen on the way."""

    columns: Sequence[str]
    """Names of the loss curve's columns."""
    done: int = 0
    """Optimizer steps."""
    rows: list[dict[str, float]] = field(default_factory=list)
    """The loss curve, a row a step."""
    bins: list[torch.Tensor] = field(default_factory=list)
    """Sum of the instance samples' losses, and their number, by bin of sigma: (2, bins) a step."""
    looks: Looks = field(default_factory=Looks)
    """What was seen while training."""

    def add_step(self, row: dict[str, float], bins: torch.Tensor) -> None:
        """Note an optimizer step."""
        self.done += 1
        self.rows.append(row)
        self.bins.append(bins)

    def add_look(self, look: Look) -> bool:
        """Note a look at the step that was just done; returns whether it is the best so far."""
        since = self.looks.steps[-1] if self.looks.steps else 0
        sums = torch.stack(self.bins[since:]).sum(0)
        return self.looks.add(self.done, look, (sums[0] / sums[1]).tolist())

    def mean_of_last(self, column: str, share: float = 0.1) -> float:
        """Mean of a column of the loss curve over the last steps: this share of them, and one at least."""
        count = max(1, int(len(self.rows) * share))
        return sum(row[column] for row in self.rows[-count:]) / count

    def tensors(self) -> dict[str, torch.Tensor]:
        """For a checkpoint."""
        curve = [[row[column] for column in self.columns] for row in self.rows]
        found = {"curve": torch.tensor(curve, dtype=torch.float64), "bins": torch.stack(self.bins)}
        return found | self.looks.tensors()

    @classmethod
    def of(cls, columns: Sequence[str], done: int, tensors: Mapping[str, torch.Tensor]) -> Progress:
        """What `tensors` gave, after `done` steps."""
        rows = [dict(zip(columns, row, strict=True)) for row in tensors["curve"].tolist()]
        return cls(columns, done, rows, list(tensors["bins"]), Looks.of(tensors))
