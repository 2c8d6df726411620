"""A detector sees all images of a scan, people some of them: `scan.evidence: people+machine`.

The images of a round are cut into groups of `scan.images_per_label`, by their seeds. Of each group people see one,
drawn with known chances: half of the chance is the same for all M images, the other half is shared by those that the
detector calls anomalous, where it does so with more than `focus` of the group, and by the others elsewhere. A label
counts with the weight 1 / (M chance), so that

    Z = weight if the image is wrong, else 0

has the group's share of wrong images as its mean over the draw, and therefore the prompt's rate as its mean, whatever
the detector answers. So does 1 - rate with the weights of right images. `statistics.weighted_e_values` bets on these.
A detector that sees what people see makes Z vary less; one that does not costs labels, and no error.

Only one image of a group has a label, since two of them would be about the same images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from anomend.project.seeding import derived_seed
from anomend.scanning.rounds import Find, Judged, Requests

ALIKE = 0.5
"""Of the chance, what all images of a group have alike: no weight is above 2."""


@dataclass(frozen=True, kw_only=True)
class ChosenPictures:
    """Images of the base, of which the detector sees all and people some."""

    detect: Find
    """Makes images, and lets the detector see them."""
    said_of: Callable[[Sequence[tuple[str, int]]], Judged]
    """What people say of images."""
    images_per_label: int
    focus: float
    """Where the detector calls more of a group anomalous, people rather see such an image, else another one."""
    fresh: range
    """The fresh seeds: people see all of these images, and the detector has no part in what is reported of them."""
    shown: dict[tuple[str, int], dict[int, float]] = field(default_factory=dict)
    """By prompt and first seed of a round: the images that people are to see, by seed, with their weights."""

    def find(self, requests: Requests) -> Judged:
        """What people say of the images that they are to see; see `anomend.scanning.rounds.Find`."""
        detected = self.detect(requests)
        for prompt, seeds in requests:
            flags = [bool(detected[prompt, seed]) for seed in seeds]
            fresh = seeds == self.fresh
            self.shown[prompt, seeds[0]] = dict.fromkeys(seeds, 1.0) if fresh else self._chosen(prompt, seeds, flags)
        return self.said_of([(prompt, seed) for prompt, seeds in requests for seed in self.shown[prompt, seeds[0]]])

    def weights(self, prompt: str, seeds: range) -> Mapping[int, float]:
        """The images of a round that people are to see, by seed, with their weights."""
        return self.shown[prompt, seeds[0]]

    def _chosen(self, prompt: str, seeds: range, detected: Sequence[bool]) -> dict[int, float]:
        size = self.images_per_label
        chosen = {}
        for place in range(0, len(seeds), size):
            group = seeds[place : place + size]
            chances = chances_of(detected[place : place + size], self.focus)
            draw = derived_seed("scan", prompt, group[0]) / 2**63
            number = min(int(np.searchsorted(np.cumsum(chances), draw, side="right")), size - 1)
            chosen[group[number]] = 1 / (size * chances[number])
        return chosen


def chances_of(detected: Sequence[bool], focus: float) -> list[float]:
    """The chance of each image of a group to be the one that people see.

    Args:
        detected: of each image, whether the detector calls it anomalous.
        focus: share of such images from which on they are preferred.
    """
    size = len(detected)
    preferred = [flag == (sum(detected) / size > focus) for flag in detected]
    return [ALIKE / size + (1 - ALIKE) * flag / sum(preferred) for flag in preferred]
