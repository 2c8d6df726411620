"""Source `drawn_people`: one individual, drawn by the miniature world with right anatomy."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from anomend.collecting.image import SourceImage, SourceSettings
from anomend.miniature.drawn_people import POSTURES, Scene, render, sample_individual, sample_scene
from anomend.miniature.scenery import PLACES
from anomend.project.seeding import derived_seed, python_random


def collect(prompts: Sequence[str], count: int, settings: SourceSettings) -> Iterator[SourceImage]:
    """`collect_drawn_people` as a `Source`."""
    return collect_drawn_people(prompts, count, settings.seed)


def collect_drawn_people(prompts: Sequence[str], count: int, seed: int) -> Iterator[SourceImage]:
    """Draw `count` images of one individual with right anatomy, taking the prompts in turn.

    Args:
        prompts: target prompts; each must name a posture and a place of the miniature world.
        count: how many images.
        seed: chooses the individual, the light and every pose.

    Yields:
        64 x 64 images, each captioned by its prompt.

    Raises:
        ValueError: a prompt that the world cannot draw.
    """
    for index in range(count):
        prompt, scene, rng, drawing = scene_of(prompts, index, seed)
        yield SourceImage(
            image=render(scene, rng),
            text=prompt,
            prompt=prompt,
            provenance={"seed": drawing, "model": "miniature world", "light": scene.light},
        )


def scene_of(prompts: Sequence[str], index: int, seed: int) -> tuple[str, Scene, random.Random, int]:
    """One scene of the individual: its prompt, the scene, what its drawing draws from, and the drawing's seed.

    Raises:
        ValueError: a prompt that the world cannot draw.
    """
    scenes = [(prompt, *parse_prompt(prompt)) for prompt in prompts]
    individual = sample_individual(python_random(seed, "individual"))
    prompt, posture, place = scenes[index % len(scenes)]
    rng = python_random(seed, "instance", index)
    scene = sample_scene(rng=rng, posture=posture, place=place, individual=individual)
    return prompt, scene, rng, derived_seed(seed, "instance", index)


def parse_prompt(prompt: str) -> tuple[str, str]:
    """The posture and the place that a prompt names.

    Raises:
        ValueError: it names none, or two.
    """
    words = prompt.lower().split()
    postures, places = [w for w in POSTURES if w in words], [w for w in PLACES if w in words]
    if len(postures) != 1 or len(places) != 1:
        raise ValueError(
            f"the miniature world cannot draw {prompt!r}: name one of {', '.join(POSTURES)}, and one of "
            f"{', '.join(PLACES)}"
        )
    return postures[0], places[0]
