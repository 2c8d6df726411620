"""Detector `drawn_people`: the checker of the miniature's drawn people."""

from __future__ import annotations

import numpy as np

from anomend.detectors.criteria import Criteria
from anomend.detectors.detector import Detector, Use
from anomend.detectors.observation import Image, Observation
from anomend.params.detectors import DetectorParams

FORM = "drawn_people"
USES: frozenset[Use] = frozenset({"anomalies", "curation", "parts"})

PARTS = {"head": "head", "arm": "arms", "leg": "legs"}
"""The checker's parts to those of `Observation.parts`."""


def check(argument: str, settings: DetectorParams) -> None:
    """It needs nothing."""


def make(argument: str, settings: DetectorParams, device: str = "auto") -> Detector:
    """The detector, which loads nothing."""
    # scikit-image takes a second to import: callers that only need the table of detectors do not wait for it.
    from anomend.miniature.anatomy import EXPECTED

    kinds = tuple(
        f"{fault}_{part}"
        for fault in ("missing", "extra", "detached")
        for part in EXPECTED
        # All parts are attached to the torso, so it is never detached.
        if (fault, part) != ("detached", "torso")
    )
    return Detector(name=FORM, detect=detect, criteria=Criteria(min_distance=1), kinds=kinds)


def detect(image: Image) -> Observation:
    """The drawn person in an image: its pixels, its parts, and what is wrong with it.

    Persons are torsos: a missing torso counts as no person, and two torsos count as two people.

    Raises:
        ValueError: the array is not an RGB image of 8 bits.
    """
    from anomend.miniature.anatomy import check as check_anatomy

    anatomy = check_anatomy(image)
    masks = anatomy.masks
    region = np.logical_or.reduce(list(masks.values()))
    return Observation(
        persons=anatomy.counts["torso"],
        region=region if anatomy.counts["torso"] and region.any() else None,
        anomalies=anatomy.anomalies,
        parts={
            name: np.stack(np.nonzero(masks[part])[::-1], axis=1) for part, name in PARTS.items() if masks[part].any()
        },
    )
