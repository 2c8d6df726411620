"""Simulated surveys whose truth is known: the raters' preference, noise, preference for a side, and carelessness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from anomend.project.seeding import numpy_generator
from anomend.surveying.responses import COLUMNS


@dataclass(frozen=True)
class Raters:
    """How participants answer.

    Each pair has a better image by the raters' preference (the tuned one with chance `preference`); a vote is flipped
    with chance `noise`; with chance `left` the rater takes the left image whatever it shows.
    """

    preference: float = 0.7
    noise: float = 0.15
    left: float = 0.0
    unsure: float = 0.05
    careless: int = 0
    """Participants who click at random, catch pairs included."""
    participants: int = 20
    pairs: int = 32
    repeats: int = 6
    catches: int = 4

    @property
    def win_rate(self) -> float:
        """Expected share of votes for the tuned image, sides being balanced."""
        seen = self.preference * (1 - self.noise) + (1 - self.preference) * self.noise
        return self.unsure / 2 + (1 - self.unsure) * (self.left / 2 + (1 - self.left) * seen)

    @property
    def left_rate(self) -> float:
        """Expected share of left choices, sides being balanced."""
        return self.left + (1 - self.left) / 2


def simulate(raters: Raters, seed: int) -> pd.DataFrame:
    """One survey of these raters."""
    rng = numpy_generator(seed, "known raters")
    better = rng.random(raters.pairs) < raters.preference
    rows = []

    def answer(person: int, pair: int, kind: str, *, left: str, tuned_is_better: bool) -> None:
        if person < raters.careless:
            choice = str(rng.choice(["left", "right"]))
        elif kind == "catch":
            choice = "left" if left == "tuned" else "right"
        elif rng.random() < raters.unsure:
            choice = "unsure"
        elif rng.random() < raters.left:
            choice = "left"
        else:
            tuned = tuned_is_better != (rng.random() < raters.noise)
            choice = "left" if tuned == (left == "tuned") else "right"
        row = (f"p{person:03}", f"{kind if kind == 'catch' else 'q'}{pair}", "a prompt", pair, left, choice, 2500, kind)
        rows.append(dict(zip(COLUMNS, row, strict=True)))

    for person in range(raters.participants):
        sides = ["tuned" if even else "base" for even in rng.permutation(raters.pairs) % 2 == 0]
        for pair in range(raters.pairs):
            answer(person, pair, "real", left=sides[pair], tuned_is_better=better[pair])
        for pair in rng.choice(raters.pairs, raters.repeats, replace=False):
            left = "base" if sides[pair] == "tuned" else "tuned"
            answer(person, int(pair), "repeat", left=left, tuned_is_better=better[pair])
        for pair in range(raters.catches):
            answer(person, pair, "catch", left=str(rng.choice(["tuned", "base"])), tuned_is_better=True)
    return pd.DataFrame(rows)


def simulate_mixed(
    *, log_odds: float, side: float, sd_participant: float, sd_pair: float, seed: int, participants: int, pairs: int
) -> pd.DataFrame:
    """Votes drawn from the mixed logistic model itself."""
    rng = numpy_generator(seed, "mixed raters")
    people, difficulty = rng.normal(0, sd_participant, participants), rng.normal(0, sd_pair, pairs)
    person, pair = (index.ravel() for index in np.meshgrid(range(participants), range(pairs), indexing="ij"))
    tuned_left = (person + pair) % 2 == 0
    logit = log_odds + side * np.where(tuned_left, 0.5, -0.5) + people[person] + difficulty[pair]
    tuned = rng.random(len(logit)) < 1 / (1 + np.exp(-logit))
    return pd.DataFrame(
        {
            "participant": [f"p{number}" for number in person],
            "pair": [f"q{number}" for number in pair],
            "left_model": np.where(tuned_left, "tuned", "base"),
            "vote": np.where(tuned, "tuned", "base"),
        }
    )
