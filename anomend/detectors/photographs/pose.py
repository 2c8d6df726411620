"""BlazePose: 33 key points and the pixels of one person, in a square turned so that the body is upright."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomend.detectors.photographs.detection import Detection, Points
from anomend.detectors.photographs.networks import Network

SIDE = 256
"""Pixels of the network's input."""
KEY_POINTS, FACE_POINTS = 33, 11
"""Nose, eyes, ears and mouth come first."""
ELBOWS, WRISTS = (13, 14), (15, 16)
JOINTS = (*range(11, 17), *range(23, 29))
"""Shoulders, elbows, wrists, hips, knees, ankles."""
MARGIN = 1.25
"""The square is this much wider than the circle around the body that the detector predicts."""


@dataclass(frozen=True)
class Body:
    """A person's body in an image."""

    presence: float
    """Probability that there is a person in the square, 0 to 1."""
    points: Points
    """Key points in the image's pixels, (33, 2); those outside the image are guesses."""
    visibility: Points
    """Probability that each key point can be seen, (33,)."""
    region: NDArray[np.bool_]
    """The person's pixels, (H, W)."""

    @property
    def nose(self) -> Points:
        return self.points[0]

    @property
    def head(self) -> float:
        """Size of the head in pixels: extent of the face's key points."""
        return float(np.ptp(self.points[:FACE_POINTS], axis=0).max())


def find_body(network: Network, image: NDArray[np.uint8], person: Detection) -> Body:
    """Key points and pixels of a person whom the detector `people` found in an RGB image (H, W, 3)."""
    hips, top = person.points[0], person.points[1]
    up = top - hips
    size = 2 * float(np.hypot(*up)) * MARGIN
    # Turns the way from the hips to the top of the circle around the body to the upper edge of the square.
    angle = np.pi / 2 - np.arctan2(-up[1], up[0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * max(size, 1) / SIDE
    shift = hips - turn @ np.array([SIDE / 2, SIDE / 2])
    square = _warp(image=Image.fromarray(image), turn=turn, shift=shift, size=(SIDE, SIDE))
    landmarks, flag, mask, _, _ = network(np.asarray(square, dtype=np.float32) / 255)
    landmarks = landmarks.reshape(-1, 5)[:KEY_POINTS].astype(np.float64)
    back = np.linalg.inv(turn)
    person_mask = Image.fromarray((_sigmoid(mask[..., 0]) * 255).astype(np.uint8))
    height, width = image.shape[:2]
    region = np.asarray(_warp(image=person_mask, turn=back, shift=-back @ shift, size=(width, height))) > 127
    return Body(
        presence=float(flag[0]),
        points=landmarks[:, :2] @ turn.T + shift,
        visibility=_sigmoid(landmarks[:, 3]),
        region=region,
    )


def body_confidence(body: Body, height: int, width: int) -> float:
    """Mean visibility of the key points that lie inside the picture, 0 to 1.

    It tells whether a body can be made out. The network fits a normal skeleton to whatever it sees, so a high value
    does not say that the anatomy is right.
    """
    inside = np.all((body.points >= 0) & (body.points < [width, height]), axis=1)
    return float(body.visibility[inside].mean()) if inside.any() else 0.0


def visible_points(*, body: Body, shape: tuple[int, ...], indices: Iterable[int], least: float) -> Points:
    """Those of some key points that lie inside a picture of shape (H, W, ...), with a visibility of `least` or more.

    Returns:
        Shape (n, 2), x and y in pixels.
    """
    seen = np.all((body.points >= 0) & (body.points < shape[1::-1]), axis=1) & (body.visibility >= least)
    return body.points[[index for index in indices if seen[index]]]


def visible_joints(*, body: Body, least: float) -> float:
    """Share of the joints below the head that can be seen, 0 to 1: shoulders, elbows, wrists, hips, knees and ankles.

    A joint counts that lies inside the picture and on the person's pixels, with a visibility of `least` or more. For a
    portrait, the network guesses the rest of the body: out of the picture, or beside the person.
    """
    height, width = body.region.shape
    joints = list(JOINTS)
    columns, rows = np.floor(body.points[joints]).astype(int).T
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    on_person = body.region[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    return float((inside & on_person & (body.visibility[joints] >= least)).mean())


def _warp(*, image: Image.Image, turn: NDArray, shift: NDArray, size: tuple[int, int]) -> Image.Image:
    """An image whose pixel p shows the given image at turn p + shift; black beyond its edges."""
    (a, b), (d, e) = turn
    return image.transform(size, Image.Transform.AFFINE, (a, b, shift[0], d, e, shift[1]), Image.Resampling.BILINEAR)


def _sigmoid(logits: NDArray) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
