"""Detector `photographs`: whether one person, a body and a hand can be made out, by MediaPipe's networks.

The networks (Apache-2.0) are read out of MediaPipe's wheel and run by LiteRT; MediaPipe itself is not installed.

Its anomalies are anomalies of detectability. The pose network fits a normal skeleton to whatever it sees, and the hand
network always finds 21 points: a third arm passes, and a right hand that is hidden or blurred may not. So a lower rate
says that bodies are drawn more clearly, not that they are right.

- `missing_person`: no person is found.
- `extra_person`: more than one is found; one is expected, and the prompts must ask for one.
- `unclear_body`: only a face is found, or the key points are more likely hidden than seen.
- `unclear_hands`: a wrist is seen, and no palm by it that is more likely one than not. Clasped hands count as one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from anomend.detectors.criteria import PHOTOGRAPHS
from anomend.detectors.detector import Detector, Use
from anomend.detectors.observation import Image, Observation
from anomend.params.detectors import DetectorParams
from anomend.project.checkouts import found

FORM = "photographs"
USES: frozenset[Use] = frozenset({"anomalies", "curation", "parts"})

KINDS = ("missing_person", "extra_person", "unclear_body", "unclear_hands")
CLEAR = 0.5
"""Least mean probability of a body's key points, and least score of a palm."""
CAUTION = "tells whether people, bodies and hands can be made out, not whether these are right"
PARTS = {"head": range(11), "arms": range(11, 17), "hands": range(15, 23), "legs": range(23, 33)}
"""BlazePose's key points of each part."""
VISIBLE = 0.5
"""Least visibility of a key point of a part, and of a joint."""


def check(argument: str, settings: DetectorParams) -> None:
    """Whether the networks are there, and LiteRT runs on this system.

    Raises:
        ValueError: a network is missing or is not the published one, or LiteRT is not installed.
    """
    refuse_missing_networks(networks_folder(settings))


def make(argument: str, settings: DetectorParams, device: str = "auto") -> Detector:
    """The detector, its networks loaded; see `make_photographs`."""
    return make_photographs(networks_folder(settings))


def make_photographs(folder: Path) -> Detector:
    """The detector, with networks from a folder.

    Raises:
        FileNotFoundError: a network is missing.
        ValueError: a file is not the published one.
    """
    return Detector(
        name=FORM,
        detect=load_detect(folder),
        criteria=PHOTOGRAPHS,
        kinds=KINDS,
        caution=CAUTION,
        source="mediapipe 0.10.21: people, pose, faces, palms",
        licence="Apache-2.0",
    )


def networks_folder(settings: DetectorParams) -> Path:
    """The folder that `python -m commands.fetch_photograph_networks` filled, in this checkout or in the main one."""
    return found(settings.photographs.networks)


def refuse_missing_networks(folder: Path) -> None:
    """Refuse a folder from which the detector cannot run.

    Raises:
        ValueError: a network is missing or is not the published one, or LiteRT is not installed.
    """
    try:
        # Imported at first use: LiteRT has no wheel for every system.
        from anomend.detectors.photographs.networks import missing_networks
    except ImportError as error:
        raise ValueError(f"the detector photographs needs the package {error.name}, which is not installed") from error
    if missing_networks(folder):
        raise ValueError(
            f"the detector photographs finds no networks in {folder}: run `make photograph-models` once online, or set"
            " the detector to none"
        )


def load_detect(folder: Path) -> Callable[[Image], Observation]:
    """What is seen in an image, by networks from a folder.

    Raises:
        FileNotFoundError: a network is missing.
        ValueError: a file is not the published one.
    """
    from anomend.detectors.photographs.hands import clearest_hand
    from anomend.detectors.photographs.networks import load_networks
    from anomend.detectors.photographs.people import find_people
    from anomend.detectors.photographs.pose import body_confidence, visible_joints, visible_points

    networks = load_networks(folder)

    def detect(image: Image) -> Observation:
        people = find_people(networks, image)
        bodies = [person.body for person in people if person.body is not None]
        if not bodies:
            # A face without a body is a person, but not one to learn a body from.
            return with_anomalies(Observation(persons=len(people), body=0.0 if people else None))
        body = max(bodies, key=lambda body: body.region.sum())
        points = {
            name: visible_points(body=body, shape=image.shape, indices=indices, least=VISIBLE)
            for name, indices in PARTS.items()
        }
        return with_anomalies(
            Observation(
                persons=len(people),
                region=body.region if body.region.any() else None,
                body=visible_joints(body=body, least=VISIBLE),
                anatomy=body_confidence(body, image.shape[0], image.shape[1]),
                hands=clearest_hand(networks, image, body),
                parts={name: part for name, part in points.items() if len(part) >= 2},
            )
        )

    return detect


def with_anomalies(seen: Observation) -> Observation:
    """An observation with its anomalies of detectability; none for one person with a clear body and, if any, a clear
    hand."""
    if not seen.persons:
        return replace(seen, anomalies=("missing_person",))
    shown = {
        "extra_person": seen.persons > 1,
        "unclear_body": seen.anatomy is None or seen.anatomy < CLEAR,
        "unclear_hands": seen.hands is not None and seen.hands < CLEAR,
    }
    return replace(seen, anomalies=tuple(kind for kind, is_shown in shown.items() if is_shown))
