"""The offline judge: the anatomy detector behind the judge interface.

It is not an independent opinion. It prefers the image in which the detector behind the anomaly rate finds fewer
anomalies, so its win rate repeats that measure pair by pair. It lets the whole protocol run without a key, and is a
judge whose answers are known: it has no taste, and no preference for a position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from anomend.detectors.table import make_detector
from anomend.judging.protocol import BlindPair, Reply
from anomend.judging.settings import JudgeSettings
from anomend.judging.verdicts import Choice, PairVerdict

FindAnomalies = Callable[[NDArray[np.uint8]], Sequence[str]]
"""An RGB image (H, W, 3) -> its anomalies, such as ("missing_arm",); empty for a correct body."""


class AnatomyJudge:
    """Fewer anomalies win, equally many are a tie; the other criteria and the counts are null.

    Args:
        find_anomalies: the anatomy detector.
        detector: its name, for the record.
    """

    provider = "anatomy"

    def __init__(self, find_anomalies: FindAnomalies, detector: str = "checker") -> None:
        self.find_anomalies = find_anomalies
        self.model = f"{detector} (offline anatomy checker, not an independent opinion)"

    def judge(self, pair: BlindPair) -> Reply:
        """Count the anomalies in both images."""
        in_a, in_b = self.find_anomalies(pair.image_a), self.find_anomalies(pair.image_b)
        choice: Choice = "tie" if len(in_a) == len(in_b) else "A" if len(in_a) < len(in_b) else "B"
        verdict = PairVerdict(
            image_a=None,
            image_b=None,
            overall=choice,
            anatomy=choice,
            physical_plausibility=None,
            lighting=None,
            prompt=None,
            reason=f"A: {_listed(in_a)}; B: {_listed(in_b)}",
        )
        return Reply(verdict.model_dump_json())


def _listed(anomalies: Sequence[str]) -> str:
    return ", ".join(anomalies).replace("_", " ") or "no anomaly"


def make_judge(settings: JudgeSettings) -> AnatomyJudge:
    """The detector of `measure.detector` as a judge."""
    detector = make_detector(settings.detector, settings.detectors, settings.device)
    return AnatomyJudge(lambda image: detector.detect(image).anomalies, detector.name)
