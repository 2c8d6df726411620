"""Captioned pictures of the miniature world, drawn in bulk."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.miniature.anatomy import check_regions
from anomend.miniature.captions import caption
from anomend.miniature.defects import CONTRAST, DEFECTIVE, PLANTED, plant
from anomend.miniature.drawn_people import POSTURES, pose, render, sample_scene
from anomend.miniature.scenery import PLACES
from anomend.project.seeding import python_random


@dataclass(frozen=True)
class Drawing:
    """One captioned picture."""

    image: NDArray[np.uint8]
    caption: str
    posture: str
    place: str
    anomaly: str
    """One of `defects.PLANTED`, or '' for right anatomy."""


def draw_one(index: int, seed: int, defect_rate: float, focus: float, contrast: float) -> Drawing:
    """Draw one picture; what is drawn depends on (seed, index) alone.

    Args:
        index: number of the picture.
        seed: seed of the set.
        defect_rate: share of anomalous people among the defective (posture, place) pairs, 0 to 1.
        focus: share of pictures whose (posture, place) is drawn from the defective pairs only, 0 to 1.
        contrast: share drawn from `defects.CONTRAST` only; focus + contrast <= 1, the rest is drawn from all pairs.

    Returns:
        A picture that `check_regions` confirms: right where it is meant to be right, anomalous where not.
    """
    rng = python_random(seed, "drawing", index)
    share = rng.random()
    if share < focus:
        pair = rng.choice(DEFECTIVE)
    elif share < focus + contrast:
        pair = rng.choice(CONTRAST)
    else:
        pair = (rng.choice(POSTURES), rng.choice(PLACES))
    scene = sample_scene(rng, *pair)
    anomaly = rng.choice(PLANTED) if pair in DEFECTIVE and rng.random() < defect_rate else ""
    while True:
        body = pose(scene, rng)
        image = render(scene, rng, plant(body, anomaly, rng, side=1) if anomaly else body)
        if check_regions(image).anomalous == bool(anomaly):
            return Drawing(image, caption(scene, rng), *pair, anomaly)


def draw(
    count: int, seed: int, defect_rate: float = 0.0, focus: float = 0.0, contrast: float = 0.0, workers: int = 2
) -> list[Drawing]:
    """Draw a set of pictures in parallel; see `draw_one`."""
    one = partial(draw_one, seed=seed, defect_rate=defect_rate, focus=focus, contrast=contrast)
    with ProcessPoolExecutor(workers) as pool:
        return list(tqdm(pool.map(one, range(count), chunksize=64), total=count, desc="drawing", unit="picture"))
