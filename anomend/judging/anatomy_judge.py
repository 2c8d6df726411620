"""The offline judge: the anatomy checker in judge's clothing.

It is no independent opinion. It prefers the image in which the same checker that measures the anomaly rate finds fewer
anomalies, so its win rate repeats that measure pair by pair. It stands here so that the whole judging protocol runs
without a key, and as the judge whose answers are known: it has no taste and no preference for a position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from anomend.judging.protocol import BlindPair, Choice, PairVerdict, Reply

Assess = Callable[[NDArray[np.uint8]], Sequence[str]]
"""Anomalies found in an RGB image of shape (H, W, 3), such as ("missing_arm",); empty for a right figure."""


class AnatomyJudge:
    """Fewer anomalies win, as many are a tie; the other criteria are not looked at.

    Args:
        assess: the anatomy checker.
        model: name of the checker, for the record.
    """

    provider = "anatomy"

    def __init__(self, assess: Assess, model: str = "checker") -> None:
        self.assess = assess
        self.model = f"{model} (offline anatomy checker, not an independent opinion)"

    def judge(self, pair: BlindPair) -> Reply:
        """Count the anomalies in both images."""
        found_a, found_b = self.assess(pair.image_a), self.assess(pair.image_b)
        choice: Choice = "tie" if len(found_a) == len(found_b) else "A" if len(found_a) < len(found_b) else "B"
        reason = f"A: {_listed(found_a)}; B: {_listed(found_b)}"
        verdict = PairVerdict(
            overall=choice, anatomy=choice, physical_plausibility=None, lighting=None, prompt=None, reason=reason
        )
        return Reply(verdict.model_dump_json())


def _listed(anomalies: Sequence[str]) -> str:
    return ", ".join(anomalies).replace("_", " ") or "no anomaly"
