"""Single-shot detectors: one pass over an image, a box and a few key points at each of a grid of anchors.

BlazeFace (Bazarevsky et al. 2019) and its successors for palms and people. Their anchors all have the same size, so an
anchor is its centre; a prediction is an offset from there in pixels of the network's input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomend.detectors.observation import Box
from anomend.detectors.photographs.networks import Network

Points = NDArray[np.float64]


@dataclass(frozen=True)
class DetectorShape:
    """How a detector was built."""

    side: int
    """Pixels of its square input."""
    grids: tuple[tuple[int, int], ...]
    """(stride in pixels, anchors a cell), in the order of its predictions."""
    low: float
    """Value of black in its input: -1 or 0; white is 1."""


SHAPES = {
    "people": DetectorShape(224, ((8, 2), (16, 2), (32, 6)), -1),
    "faces": DetectorShape(192, ((4, 1),), -1),
    "palms": DetectorShape(192, ((8, 2), (16, 6)), 0),
}
"""Shapes of the detectors in `networks.FILES`."""

OVERLAP = 0.3
"""Predictions whose boxes overlap by this (intersection over union) are one."""


@dataclass(frozen=True)
class Detection:
    """One thing found in an image, in the image's pixels."""

    score: float
    """0 to 1."""
    centre: Points
    """(2,)"""
    size: Points
    """Width and height, (2,)."""
    points: Points
    """Key points, (K, 2); what they mean depends on the detector."""

    @property
    def box(self) -> Box:
        (left, top), (right, bottom) = self.centre - self.size / 2, self.centre + self.size / 2
        return float(left), float(top), float(right), float(bottom)

    def moved(self, x: float, y: float) -> Detection:
        """The same thing seen from an image of which this one was cut out at (x, y)."""
        offset = np.array([x, y], dtype=np.float64)
        return Detection(score=self.score, centre=self.centre + offset, size=self.size, points=self.points + offset)


def anchors(shape: DetectorShape) -> Points:
    """Centres of all anchors, from 0 to 1, (N, 2)."""
    grids = []
    for stride, repeats in shape.grids:
        cells = shape.side // stride
        rows, columns = np.mgrid[:cells, :cells]
        centres = (np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) / cells
        grids.append(np.repeat(centres, repeats, axis=0))
    return np.concatenate(grids)


def detect(network: Network, shape: DetectorShape, image: NDArray[np.uint8], least: float) -> list[Detection]:
    """Everything that a detector finds in an RGB image (H, W, 3), best first.

    Args:
        network: the detector.
        shape: how it was built.
        image: scaled to the detector's input, with bars on the short sides.
        least: score below which a prediction is dropped.
    """
    height, width = image.shape[:2]
    scale = shape.side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    bars = np.array([(shape.side - small.width) // 2, (shape.side - small.height) // 2])
    canvas = np.full((shape.side, shape.side, 3), shape.low, dtype=np.float32)
    values = np.asarray(small, dtype=np.float32) / 255
    canvas[bars[1] : bars[1] + small.height, bars[0] : bars[0] + small.width] = values * (1 - shape.low) + shape.low
    predictions, logits = network(canvas)
    scores = 1 / (1 + np.exp(-np.clip(logits[:, 0].astype(np.float64), -100, 100)))
    rows = np.flatnonzero(scores >= least)
    centres = anchors(shape)[rows] * shape.side
    detections = []
    for row, centre in zip(rows, centres, strict=True):
        numbers = predictions[row].astype(np.float64).reshape(-1, 2)
        # Centre, size, key points; all but the size are offsets from the anchor.
        points = (np.concatenate([numbers[:1], numbers[2:]]) + centre - bars) / scale
        detections.append(
            Detection(score=float(scores[row]), centre=points[0], size=numbers[1] / scale, points=points[1:])
        )
    return merge_overlapping(detections)


def merge_overlapping(detections: list[Detection]) -> list[Detection]:
    """One detection for each group that overlaps the group's best; places are means weighted by score."""
    left = sorted(detections, key=lambda detection: -detection.score)
    merged = []
    while left:
        best = left[0]
        overlaps = [overlap(best.box, other.box) > OVERLAP or other is best for other in left]
        group = [other for other, same in zip(left, overlaps, strict=True) if same]
        left = [other for other, same in zip(left, overlaps, strict=True) if not same]
        weights = np.array([other.score for other in group]) / sum(other.score for other in group)
        centre, size, points = (
            np.tensordot(weights, np.stack([getattr(other, name) for other in group]), axes=1)
            for name in ("centre", "size", "points")
        )
        merged.append(Detection(score=best.score, centre=centre, size=size, points=points))
    return merged


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return shared / (sum(areas) - shared) if shared else 0.0
