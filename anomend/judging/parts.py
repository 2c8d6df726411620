"""Crops of body parts, so that a judge is asked about one part at a time.

Multimodal models overlook wrong limbs in whole pictures: in ArtifactLens, asking about cropped parts one by one raised
the F1 of finding artifacts from .56 to .82. A part is asked about only if it is found in both images of a pair; the
question about the whole images covers parts that are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.judging.protocol import ORDERS, Box, JudgeQuestion
from anomend.miniature.anatomy import part_masks
from anomend.pictures.image_sets import load_image

FindParts = Callable[[NDArray[np.uint8]], Mapping[str, Box]]
"""An RGB image (H, W, 3) -> boxes of the body parts in it."""

MARGIN = 0.2
"""A crop is wider than its part by this share on each side, so that it shows where a limb is joined."""
KEY_POINTS = {"head": range(11), "arms": range(11, 17), "hands": range(15, 23), "legs": range(23, 33)}
"""BlazePose's key points of each part."""
VISIBLE = 0.5
"""Visibility from which a key point counts."""


def drawn_parts(image: NDArray[np.uint8]) -> dict[str, Box]:
    """Head, arms and legs of the miniature's drawn people, by their hues."""
    masks = part_masks(image)
    boxes = {}
    for kind, name in {"head": "head", "arm": "arms", "leg": "legs"}.items():
        rows, columns = np.nonzero(masks[kind])
        if len(rows):
            boxes[name] = square(image.shape, np.stack([columns, rows], axis=1))
    return boxes


def photograph_parts(folder: Path) -> FindParts:
    """Head, arms, hands and legs of the largest person in a photograph, by MediaPipe's key points.

    Args:
        folder: where `make photograph-models` put the networks.

    Raises:
        FileNotFoundError: they are missing.
    """
    from anomend.detectors.photographs.networks import load_networks
    from anomend.detectors.photographs.people import find_people

    networks = load_networks(folder)

    def find(image: NDArray[np.uint8]) -> dict[str, Box]:
        bodies = [person.body for person in find_people(networks, image) if person.body is not None]
        if not bodies:
            return {}
        body = max(bodies, key=lambda body: body.region.sum())
        inside = np.all((body.points >= 0) & (body.points < image.shape[1::-1]), axis=1) & (body.visibility >= VISIBLE)
        boxes = {}
        for name, indices in KEY_POINTS.items():
            points = body.points[[index for index in indices if inside[index]]]
            if len(points) >= 2:
                boxes[name] = square(image.shape, points)
        return boxes

    return find


def square(shape: tuple[int, ...], points: NDArray[np.generic]) -> Box:
    """The square around points (n, 2) of x and y, with its margin, moved into an image of shape (H, W, ...)."""
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float) + 1
    height, width = shape[:2]
    side = min(max(round(float((high - low).max()) * (1 + 2 * MARGIN)), 8), height, width)
    left, top = np.round((low + high) / 2 - side / 2).clip(0, [width - side, height - side]).astype(int)
    return int(left), int(top), int(left + side), int(top + side)


def part_questions(pairs: pd.DataFrame, repeats: int, find_parts: FindParts) -> list[JudgeQuestion]:
    """Questions about every part that is in both images of a pair: in both orders, `repeats` times each.

    Args:
        pairs: as `protocol.choose_pairs` returns them.
        repeats: times that each order is asked.
        find_parts: finds the parts.
    """
    questions = []
    for row in pairs.to_dict("records"):
        base, tuned = Path(row["path_base"]), Path(row["path_tuned"])
        of_base, of_tuned = find_parts(load_image(base)), find_parts(load_image(tuned))
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
