"""The small grammar of the miniature world's captions."""

from __future__ import annotations

import random

from anomend.miniature.drawn_people import POSTURES, SUBJECTS, Scene
from anomend.miniature.scenery import LIGHTS, PLACES

PREFIXES = ("", "a photo of ", "a picture of ")
_PLAIN = ("a", "photo", "of", "picture", "on", "the", "at", "sks")
WORDS = tuple(dict.fromkeys([*_PLAIN, *SUBJECTS, *POSTURES, *PLACES, *LIGHTS]))
"""The whole vocabulary; other words are spelled in letters by the tokenizer."""


def caption(scene: Scene, rng: random.Random) -> str:
    """A caption that is true of the scene and names posture and place; subject and light only sometimes.

    The shortest form is the paper's prompt, 'lying on the grass'; the longest is
    'a photo of a woman lying on the grass at noon'.
    """
    prefix = rng.choice(PREFIXES)
    subject = f"a {scene.individual.subject} " if prefix or rng.random() < 0.5 else ""
    light = f" at {scene.light}" if rng.random() < 0.35 else ""
    return f"{prefix}{subject}{scene.posture} on the {scene.place}{light}"
