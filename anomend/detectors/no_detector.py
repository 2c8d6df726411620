"""Detector `none`: no detector runs, so that nothing is known about the people in an image."""

from __future__ import annotations

from anomend.detectors.criteria import Criteria
from anomend.detectors.detector import Detector, Use
from anomend.detectors.observation import Observation
from anomend.params.detectors import DetectorParams

FORM = "none"
USES: frozenset[Use] = frozenset({"anomalies", "curation", "parts"})


def check(argument: str, settings: DetectorParams) -> None:
    """It needs nothing."""


def make(argument: str, settings: DetectorParams, device: str = "auto") -> Detector:
    """A detector that sees nothing: curation then goes by sharpness, background and repetition alone."""
    return Detector(
        name=FORM,
        detect=lambda image: Observation(),
        criteria=Criteria(one_person=False, min_sharpness=0.4, max_background=0.35, min_distance=10),
    )
