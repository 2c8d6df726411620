"""The pictures of a scan: made through the store of samples, judged by the detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from anomend.detectors.detector import Detector
from anomend.diffusion.stored_sampling import StoredSampler
from anomend.measuring.feature_store import FeatureStore
from anomend.pictures.image_sets import ImageFolderWriter, load_image
from anomend.pictures.sample_store import checksum
from anomend.project.slugs import slug
from anomend.scanning.rounds import Requests, Scanned

EXAMPLES = 3
"""Pictures of each kind, right and wrong, that are kept of a prompt that was found wrong; one of any other prompt."""


def block_size(seeds_per_round: int, batch_size: int) -> int:
    """Images that are sampled together: as many as `sample.batch_size` allows, so that no round makes more than it
    asks for."""
    return max(size for size in range(1, min(seeds_per_round, batch_size) + 1) if seeds_per_round % size == 0)


def in_rounds(sampler: StoredSampler, prompts: Sequence[str], size: int) -> StoredSampler:
    """The sampler with blocks of a size, which loads the model once for all rounds, with the texts of all prompts."""
    draw = cache(lambda: sampler.load(prompts))
    return replace(sampler, block_size=size, load=lambda _: draw())


@dataclass(frozen=True, kw_only=True)
class ScanPictures:
    """Makes and judges images of the base."""

    sampler: StoredSampler
    detector: Detector
    features: FeatureStore
    """Keeps what the detector found."""

    def find(self, requests: Requests) -> dict[tuple[str, int], bool]:
        """Whether each image is anomalous; see `anomend.scanning.rounds.Find`."""
        paths = self.sampler.images(requests, min(seeds[0] for _, seeds in requests))
        keys = [(prompt, seed) for prompt, seeds in requests for seed in seeds]
        kinds = self.features.anomalies(self.detector, [load_image(paths[key]) for key in keys])
        return {key: bool(found) for key, found in zip(keys, kinds, strict=True)}

    def write_examples(self, folder: Path, seen: Scanned, fresh_first: int) -> int:
        """Write pictures of each prompt as an image set, the first seeds of each kind; returns their number.

        Args:
            folder: the image set.
            seen: the scan.
            fresh_first: the first fresh seed. Of prompts that were found wrong, fresh pictures alone are shown.
        """
        writer = ImageFolderWriter(folder)
        for prompt in seen.tallies:
            for seed, anomalous in examples(seen, prompt, fresh_first):
                path = self.sampler.samples.find(prompt, seed)
                if path is None:
                    raise ValueError(f"an image of {prompt!r} was deleted from the store while scanning: run it again")
                row = {"text": prompt, "prompt": prompt, "seed": seed, "anomalous": anomalous, "source": "base"}
                recipe = self.sampler.samples.digest
                writer.add_stored(f"{slug(prompt)}-{seed}.png", path, checksum(path), **row, recipe=recipe)
        writer.close()
        return len(writer.rows)


def examples(seen: Scanned, prompt: str, fresh_first: int) -> list[tuple[int, bool]]:
    """The seeds that are shown of a prompt, wrong pictures first, each with whether it is anomalous."""
    found = prompt in seen.fresh
    images = seeds_of(seen.anomalous, prompt)
    images = {seed: anomalous for seed, anomalous in images.items() if not found or seed >= fresh_first}
    most = EXAMPLES if found else 1
    kinds = ([seed for seed, anomalous in images.items() if anomalous is kind][:most] for kind in (True, False))
    return [(seed, images[seed]) for seeds in kinds for seed in seeds]


def seeds_of(anomalous: Mapping[tuple[str, int], bool], prompt: str) -> dict[int, bool]:
    """The images of one prompt by seed, in order."""
    return dict(sorted((seed, found) for (text, seed), found in anomalous.items() if text == prompt))
