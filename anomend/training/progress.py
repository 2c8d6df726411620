"""How far a training run is: its loss curve and evaluations, as they go into its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from anomend.training.evaluations import Evaluation, EvaluationHistory
from anomend.training.round_reports import RoundReport, from_tensors, tensors_of


@dataclass
class Progress:
    """Steps done, and what was measured on the way."""

    columns: Sequence[str]
    """Names of the loss curve's columns."""
    done: int = 0
    """Optimizer steps."""
    rows: list[dict[str, float]] = field(default_factory=list)
    """The loss curve, one row per step."""
    bins: list[torch.Tensor] = field(default_factory=list)
    """Per step the sum of the instance samples' losses, and their number, by bin of sigma: (2, bins)."""
    history: EvaluationHistory = field(default_factory=EvaluationHistory)
    """The evaluations."""
    rounds: list[RoundReport] = field(default_factory=list)
    """What each round drew, where training is by rewards."""

    def add_step(self, row: dict[str, float], bins: torch.Tensor) -> None:
        """Append an optimizer step."""
        self.done += 1
        self.rows.append(row)
        self.bins.append(bins)

    def add_evaluation(self, evaluation: Evaluation) -> bool:
        """Append an evaluation of the weights after the last step; returns whether it is the best so far."""
        since = self.history.steps[-1] if self.history.steps else 0
        sums = torch.stack(self.bins[since:]).sum(0)
        return self.history.add(self.done, evaluation, (sums[0] / sums[1]).tolist())

    def mean_of_last(self, column: str, share: float = 0.1) -> float:
        """Mean of a column of the loss curve over this share of the steps, the last ones, and at least one step."""
        count = max(1, int(len(self.rows) * share))
        return sum(row[column] for row in self.rows[-count:]) / count

    def tensors(self) -> dict[str, torch.Tensor]:
        """The progress as named tensors, for a checkpoint."""
        curve = [[row[column] for column in self.columns] for row in self.rows]
        tensors = {"curve": torch.tensor(curve, dtype=torch.float64), "bins": torch.stack(self.bins)}
        return tensors | self.history.tensors() | tensors_of(self.rounds)

    @classmethod
    def from_tensors(cls, columns: Sequence[str], done: int, tensors: Mapping[str, torch.Tensor]) -> Progress:
        """The progress that `tensors` wrote after `done` steps."""
        rows = [dict(zip(columns, row, strict=True)) for row in tensors["curve"].tolist()]
        history = EvaluationHistory.from_tensors(tensors)
        return cls(
            columns=columns,
            done=done,
            rows=rows,
            bins=list(tensors["bins"]),
            history=history,
            rounds=from_tensors(tensors),
        )
