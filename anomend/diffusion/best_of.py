"""Best of n: each image is drawn again, at another seed, until a detector finds no anomaly in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomend.diffusion.stored_sampling import StoredSampler, blocks_of
from anomend.params.tuned import SEEDS_PER_TRY, BestOfParams
from anomend.pictures.image_sets import load_image
from anomend.pictures.sample_store import StoredSamples
from anomend.project.files import sha256_of

Image = NDArray[np.uint8]
Key = tuple[str, int]
"""Prompt and seed."""
Detect = Callable[[Sequence[Image]], Sequence[Sequence[str]]]
"""Returns the anomalies of each image."""
AT_ONCE = 64
"""Images in memory."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The image that was kept for a prompt and seed."""

    seed: int
    """The seed that it was drawn from."""
    drawn: int
    """Images that were drawn until it was settled, from 1 to n."""
    anomalies: int
    """Anomalies in it; above 0 only where none of n images was right."""
    path: Path


@dataclass(frozen=True, kw_only=True)
class BestOf:
    """Samples as `StoredSampler` does, and keeps for each image the first of up to n whose detector finds no anomaly.

    The image of the k-th seed of a prompt is drawn from the seeds `first_seed + 10,000 t + k`, t = 0 to n - 1. So more
    seeds, or a larger n, draw the further images alone. Where no image is right, the first with the fewest anomalies
    is kept.
    """

    candidates: StoredSampler
    """Draws, through the store; several processes share the work."""
    settings: BestOfParams
    detect: Detect
    choices: dict[Key, Choice] = field(default_factory=dict)
    """What was kept so far."""
    blocks: set[tuple[str, int]] = field(default_factory=set)
    """Prompt and first seed of the blocks that were asked for."""

    @property
    def recipe(self) -> Mapping[str, Any]:
        """What the images depend on besides prompt and seed."""
        best_of = {"n": self.settings.n, "detector": self.settings.detector, "first_seed": self.settings.first_seed}
        return {**self.candidates.recipe, "best_of": best_of}

    @property
    def samples(self) -> StoredSamples:
        """The store's images, at the seeds that they were drawn from."""
        return self.candidates.samples

    @property
    def digest(self) -> str:
        """The digest of the recipe. It is not that of the store's images: these are not by the seeds of this set."""
        return sha256_of(json.dumps(self.recipe, indent=2, sort_keys=True) + "\n")

    def about(self, prompt: str, seed: int) -> dict[str, Any]:
        """What an image's row in an image set says besides."""
        choice = self.choices[prompt, seed]
        return {"drawn_seed": choice.seed, "drawn": choice.drawn, "anomalies_seen": choice.anomalies}

    def images(self, requests: Sequence[tuple[str, range]], first_seed: int) -> dict[Key, Path]:
        """The images of some prompts; see `StoredSampler.images`."""
        keys = [(prompt, seed) for prompt, seeds in requests for seed in seeds]
        open_keys = [key for key in dict.fromkeys(keys) if key not in self.choices]
        best: dict[Key, Choice] = {}
        assert self.settings.n is not None
        for number in range(self.settings.n):
            if not open_keys:
                break
            first = self.settings.first_seed + number * SEEDS_PER_TRY
            self._draw(open_keys, best, first=first, offset=first - first_seed, drawn=number + 1)
            open_keys = [key for key in open_keys if best[key].anomalies]
        self.choices.update(best)
        return {key: self.choices[key].path for key in keys}

    def _draw(self, keys: Sequence[Key], best: dict[Key, Choice], *, first: int, offset: int, drawn: int) -> None:
        """One more image for each of the keys, and the better of it and the best so far."""
        requests = [(prompt, range(seed + offset, seed + offset + 1)) for prompt, seed in keys]
        paths = self.candidates.images(requests, first)
        size = self.candidates.block_size
        self.blocks.update((block.prompt, block.seeds[0]) for block in blocks_of(requests, first_seed=first, size=size))
        for start in range(0, len(keys), AT_ONCE):
            part = keys[start : start + AT_ONCE]
            of_part = [paths[prompt, seed + offset] for prompt, seed in part]
            found = self.detect([load_image(path) for path in of_part])
            for key, path, anomalies in zip(part, of_part, found, strict=True):
                before = best.get(key)
                kept = before if before and before.anomalies <= len(anomalies) else None
                best[key] = Choice(
                    seed=kept.seed if kept else key[1] + offset,
                    drawn=drawn,
                    anomalies=kept.anomalies if kept else len(anomalies),
                    path=kept.path if kept else path,
                )
