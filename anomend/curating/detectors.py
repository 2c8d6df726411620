"""Who looks at the people in an image; a new detector is one file here and one line in `DETECTORS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomend.curating.criteria import Criteria
from anomend.detectors import drawn_people
from anomend.detectors.observation import Observation

Look = Callable[[NDArray[np.uint8]], Observation]
"""RGB image (H, W, 3) -> what is seen there."""


@dataclass(frozen=True)
class DetectorSettings:
    """Where the detectors' networks are."""

    networks: Path = Path("models/photographs")
    """Folder of the networks of `photographs`."""
    person: tuple[str, str] = ("", "")
    """Model of `photographs_rtdetr` that finds people: repository or local folder, and revision."""
    pose: tuple[str, str] = ("", "")
    """Its model of key points."""


@dataclass(frozen=True)
class Detector:
    """A detector, and what it asks of an image where the parameters say nothing else."""

    make: Callable[[DetectorSettings], Look]
    """Loads what it needs, once."""
    criteria: Criteria


PHOTOGRAPHS = Criteria(
    min_area=0.15,
    min_inside=0.9,
    max_background=0.35,
    min_sharpness=0.4,
    min_anatomy=0.5,
    min_hands=0.5,
    min_distance=10,
)
"""What the paper's Appendix A asks of training pictures, in figures: one person, large, clear hands, a simple
background. Its five published images lie well within: areas from .45, backgrounds to .18, sharpness from .6."""


def _photographs(settings: DetectorSettings) -> Look:
    # Imported at first use: LiteRT has no wheel for every system.
    from anomend.detectors.photographs import make_look

    return make_look(settings.networks)


def _photographs_rtdetr(settings: DetectorSettings) -> Look:
    # Imported at first use: torch and transformers take seconds.
    from anomend.detectors.rtdetr import HubModel, make_look

    return make_look(HubModel(*settings.person), HubModel(*settings.pose))


DETECTORS = {
    "figures": Detector(lambda settings: drawn_people.look, Criteria(min_distance=1)),
    "photographs": Detector(_photographs, PHOTOGRAPHS),
    # A box holds more than its person; scores of key points are no probabilities, and untried here on real weights.
    "photographs_rtdetr": Detector(_photographs_rtdetr, replace(PHOTOGRAPHS, min_area=0.2, min_hands=0.3)),
    # Nobody looks: what the picture itself tells must do.
    "none": Detector(
        lambda settings: lambda image: Observation(),
        Criteria(one_person=False, min_sharpness=0.4, max_background=0.35, min_distance=10),
    ),
}
"""Every detector by its name."""


def detector_for(name: str, source: str) -> str:
    """The detector of an image: `auto` takes the checker for drawn figures and the offline networks for all others."""
    if name != "auto":
        return name
    return "figures" if source == "figures" else "photographs"
