"""The design of a survey: which pairs each participant sees, in which order, and on which sides.

Every participant judges every pair once. The sides are balanced twice: a participant sees the tuned image on the left
in half of the pairs, and of two consecutive participants, the second sees every pair with the sides swapped. Pairs that
are repeated come in the first half; their repeats, with the sides swapped, come in the second (ITU-R BT.500 asks for
such repeats, for a random order, and for sessions under 30 minutes). Catch pairs are spread over the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from anomend.project.seeding import python_random

Kind = Literal["real", "repeat", "catch"]
Model = Literal["base", "tuned"]


@dataclass(frozen=True, kw_only=True)
class SurveyPair:
    """Two images of one prompt and seed; in a catch pair, the undamaged image counts as the tuned one."""

    name: str
    prompt: str
    seed: int
    image_base: str
    """Blind name of the base model's image."""
    image_tuned: str


@dataclass(frozen=True)
class Trial:
    """One pair as a participant sees it."""

    pair: SurveyPair
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


def trials_of(
    participant: int, *, pairs: Sequence[SurveyPair], catches: Sequence[SurveyPair], repeats: int, seed: int
) -> list[Trial]:
    """Everything that one participant sees, in order.

    Args:
        participant: number of the participant, from 0.
        pairs: the real pairs.
        catches: the catch pairs.
        repeats: number of real pairs that are shown once more.
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
    again = [_repeated(trial) for trial in draw.sample(real[:half], repeats)]
    late = real[half:] + again
    draw.shuffle(late)
    trials = real[:half] + late
    # Each catch pair falls into a different stretch, so that attention is tested from beginning to end.
    catch_sides = _sides(participant=participant, count=len(catches), seed=seed, what="catch")
    for number, index in enumerate(draw.sample(range(len(catches)), len(catches))):
        stretch = len(trials) / len(catches)
        place = int(number * stretch + draw.random() * stretch)
        trials.insert(place, Trial(catches[index], "catch", catch_sides[index]))
    return trials


def _sides(participant: int, count: int, seed: int, what: str = "real") -> list[Model]:
    """The model on the left of each pair: half and half, and swapped for every second participant."""
    halves: list[Model] = ["tuned" if index % 2 == 0 else "base" for index in range(count)]
    python_random(seed, "survey sides", what, participant // 2).shuffle(halves)
    return [_other(model) for model in halves] if participant % 2 else halves


def _repeated(trial: Trial) -> Trial:
    return replace(trial, kind="repeat", left_model=_other(trial.left_model))


def _other(model: Model) -> Model:
    return "base" if model == "tuned" else "tuned"
