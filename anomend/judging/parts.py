"""Crops of body parts, so that a judge is asked about one part at a time.

Multimodal models overlook wrong limbs in whole pictures: asking about cropped parts one by one lifted the F1 of
finding artifacts from .56 to .82 in ArtifactLens. A part is asked about only where it is found in both images of a
pair; one that is missing altogether is for the question about the whole pictures to tell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.detectors.detector import Detector
from anomend.detectors.observation import Image
from anomend.judging.protocol import ORDERS, Box, JudgeQuestion
from anomend.pictures.image_sets import load_image

MARGIN = 0.2
"""A crop is wider than its part by this share on each side: where a limb is joined belongs to the question."""


def square(shape: tuple[int, ...], points: NDArray[np.generic]) -> Box:
    """The square around points (n, 2) of x and y, with its margin, moved into an image of shape (H, W, ...)."""
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float) + 1
    height, width = shape[:2]
    side = min(max(round(float((high - low).max()) * (1 + 2 * MARGIN)), 8), height, width)
    left, top = np.round((low + high) / 2 - side / 2).clip(0, [width - side, height - side]).astype(int)
    return int(left), int(top), int(left + side), int(top + side)


def part_boxes(image: Image, detector: Detector) -> dict[str, Box]:
    """The square around each part of the largest person's body that the detector locates in an RGB image (H, W, 3)."""
    return {part: square(image.shape, points) for part, points in detector.detect(image).parts.items()}


def part_questions(pairs: pd.DataFrame, repeats: int, detector: Detector) -> list[JudgeQuestion]:
    """Every part that is located in both images of a pair, in both orders, `repeats` times each.

    Args:
        pairs: as `protocol.choose_pairs` returns them.
        repeats: times that each order is asked.
        detector: locates the parts.
    """
    questions = []
    for row in pairs.to_dict("records"):
        base, tuned = Path(row["path_base"]), Path(row["path_tuned"])
        of_base, of_tuned = part_boxes(load_image(base), detector), part_boxes(load_image(tuned), detector)
        questions += [
            JudgeQuestion(
                prompt=str(row["prompt"]),
                seed=int(row["seed"]),
                path_base=base,
                path_tuned=tuned,
                order=order,
                repeat=repeat,
                part=part,
                crop_base=of_base[part],
                crop_tuned=of_tuned[part],
            )
            for part in of_base
            if part in of_tuned
            for repeat in range(repeats)
            for order in ORDERS
        ]
    return questions
