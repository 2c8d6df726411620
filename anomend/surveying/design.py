"""The design of a survey: which pairs each participant sees, in which order, and on which sides.

Every participant judges every pair once. The sides are balanced twice over: a participant sees the tuned image on the
left in half of the pairs, and of two consecutive participants the second sees every pair with the sides of the first
changed. Pairs to be repeated come in the first half, their repeats, sides changed, in the second (ITU-R BT.500 asks for
such repeats, for a random order, and for sessions under 30 minutes). Catch pairs are spread over the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from anomend.project.seeding import python_random

Kind = Literal["real", "repeat", "catch"]
Model = Literal["base", "tuned"]


@dataclass(frozen=True)
class Pair:
    """Two images of one prompt and seed; of a catch pair, the undamaged image counts as the tuned one."""

    name: str
    prompt: str
    seed: int
    image_base: str
    """Blind name of the base model's image."""
    image_tuned: str


@dataclass(frozen=True)
class Trial:
    """One pair as a participant sees it."""

    pair: Pair
    kind: Kind
    left_model: Model

    @property
    def left(self) -> str:
        """Blind name of the image on the left."""
        return self.pair.image_tuned if self.left_model == "tuned" else self.pair.image_base

    @property
    def right(self) -> str:
        """Blind name of the image on the right."""
        return self.pair.image_base if self.left_model == "tuned" else self.pair.image_tuned


def trials_of(participant: int, pairs: Sequence[Pair], catches: Sequence[Pair], repeats: int, seed: int) -> list[Trial]:
    """All that one participant sees, in order.

    Args:
        participant: number of the participant, from 0.
        pairs: the real pairs.
        catches: the catch pairs.
        repeats: how many of the real pairs are shown once more.
        seed: seed of the survey.

    Raises:
        ValueError: more repeats than half of the pairs, so that a repeat could follow its pair too soon.
    """
    if repeats > len(pairs) // 2:
        raise ValueError(
            f"{repeats} repeats need {2 * repeats} pairs or more, there are {len(pairs)}: lower survey.repeats or "
            "raise survey.pairs_per_prompt"
        )
    draw = python_random(seed, "survey order", participant)
    order = draw.sample(range(len(pairs)), len(pairs))
    sides = _sides(participant, len(pairs), seed)
    real = [Trial(pairs[index], "real", sides[index]) for index in order]
    half = (len(real) + 1) // 2
    again = [_turned(trial) for trial in draw.sample(real[:half], repeats)]
    late = real[half:] + again
    draw.shuffle(late)
    trials = real[:half] + late
    # Each catch pair falls into a stretch of its own, so that attention is tested from the beginning to the end.
    catch_sides = _sides(participant, len(catches), seed, "catch")
    for number, index in enumerate(draw.sample(range(len(catches)), len(catches))):
        stretch = len(trials) / len(catches)
        place = int(number * stretch + draw.random() * stretch)
        trials.insert(place, Trial(catches[index], "catch", catch_sides[index]))
    return trials


def _sides(participant: int, count: int, seed: int, what: str = "real") -> list[Model]:
    """The model on the left of each pair: half and half, and turned round for every second participant."""
    halves: list[Model] = ["tuned" if index % 2 == 0 else "base" for index in range(count)]
    python_random(seed, "survey sides", what, participant // 2).shuffle(halves)
    return [_other(model) for model in halves] if participant % 2 else halves


def _turned(trial: Trial) -> Trial:
    return replace(trial, kind="repeat", left_model=_other(trial.left_model))


def _other(model: Model) -> Model:
    return "base" if model == "tuned" else "tuned"
