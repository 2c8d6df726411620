"""Losers that are drawn: the scenes of the source `drawn_people`, each with one anomaly planted in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from anomend.collecting.drawn_people import scene_of
from anomend.collecting.image import SourceImage
from anomend.miniature.anatomy import check
from anomend.miniature.defects import ANOMALIES, plant
from anomend.miniature.drawn_people import pose, render
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.project.seeding import python_random


def planted_people(prompts: Sequence[str], per_prompt: int, seed: int) -> Iterator[SourceImage]:
    """The first scenes of each prompt that `collect_drawn_people` draws at this seed, anomalous.

    Pose, place, light and marks are those of the right drawing; the anomaly is one of all kinds, on either side, so
    that nothing of what the base draws wrong is given away. The checker confirms it.

    Args:
        prompts: target prompts.
        per_prompt: drawings of each.
        seed: `collect.seed`.

    Yields:
        64 x 64 images, with the `seed` of the right drawing and the `anomaly` in their provenance.

    Raises:
        ValueError: a prompt that the world cannot draw.
    """
    for index in range(per_prompt * len(prompts)):
        choices = python_random(seed, "planted", index)
        while True:
            prompt, scene, rng, drawing = scene_of(prompts, index, seed)
            anomaly = choices.choice(ANOMALIES)
            image = render(scene, rng, plant(pose(scene, rng), anomaly, choices))
            if check(image).anomalous:
                break
        yield SourceImage(
            image=image,
            text=prompt,
            prompt=prompt,
            provenance={"seed": drawing, "model": "miniature world", "anomaly": anomaly},
        )


def write_planted_people(folder: Path, prompts: Sequence[str], per_prompt: int, seed: int) -> int:
    """Write them as an image set, whose rows have the `source` planted; returns how many there are."""
    writer = ImageFolderWriter(folder)
    for index, item in enumerate(planted_people(prompts, per_prompt, seed)):
        about = {"text": item.text, "prompt": item.prompt, "source": "planted", **item.provenance}
        # It may be a link into DVC's cache.
        (folder / f"{index:04d}.png").unlink(missing_ok=True)
        writer.add(f"{index:04d}.png", item.image, **about)
    writer.close()
    return len(writer.rows)
