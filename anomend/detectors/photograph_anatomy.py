"""Detector `photographs`: whether one person, a body and a hand can be made out, by MediaPipe's networks.

These are anomalies of detectability. The pose network fits a normal skeleton to whatever it sees, and the hand network
always finds 21 points: a third arm passes, and a right hand that is hidden or blurred may not. So a lower rate says
that bodies are drawn more clearly, not that they are right.

- `missing_person`: nobody is found.
- `extra_person`: more than one is; one is expected, which the prompts must bear out.
- `unclear_body`: only a face is found, or the key points are more likely hidden than seen.
- `unclear_hands`: a wrist is seen, and no palm by it that is more likely one than not. Clasped hands count as one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomend.detectors.detector import Detector
from anomend.detectors.observation import Observation

NETWORKS = Path(__file__).resolve().parents[2] / "models" / "photographs"
"""Where `make photograph-models` puts them."""
KINDS = ("missing_person", "extra_person", "unclear_body", "unclear_hands")
CLEAR = 0.5
"""Least mean probability of a body's key points, and least score of a palm."""
CAUTION = "tells whether people, bodies and hands can be made out, not whether these are right"


def anomalies_of(seen: Observation) -> tuple[str, ...]:
    """Anomalies of detectability in what was seen; empty for one person with a clear body and, if any, a clear hand."""
    if not seen.persons:
        return ("missing_person",)
    found = {
        "extra_person": seen.persons > 1,
        "unclear_body": seen.anatomy is None or seen.anatomy < CLEAR,
        "unclear_hands": seen.hands is not None and seen.hands < CLEAR,
    }
    return tuple(kind for kind, shown in found.items() if shown)


def refuse_missing_networks(folder: Path = NETWORKS) -> None:
    """Raise a ValueError where the detector could not run: a network is missing or not the published one, or the
    runtime has no wheel for this system."""
    try:
        # Imported at first use: LiteRT has no wheel for every system.
        from anomend.detectors.photographs.networks import missing_networks
    except ImportError as error:
        raise ValueError(f"the detector photographs needs the package {error.name}, which is not installed") from error
    if missing_networks(folder):
        raise ValueError(
            f"the detector photographs finds no networks in {folder.parent.name}/{folder.name}: run"
            " `make photograph-models` once online, or set the detector to none"
        )


def make_photographs() -> Detector:
    """The detector; its networks are loaded at the first image."""
    return Detector(
        kinds=KINDS,
        look=lambda image: anomalies_of(make_observe(NETWORKS)(image)),
        caution=CAUTION,
        source="mediapipe 0.10.21: people, pose, faces, palms",
        licence="Apache-2.0",
    )


@lru_cache(maxsize=1)
def make_observe(folder: Path) -> Callable[[NDArray[np.uint8]], Observation]:
    """What tells how many people are in an image, and how clear body and hands are; networks are loaded once."""
    from anomend.detectors.photographs import make_look

    return make_look(folder)
