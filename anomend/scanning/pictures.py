"""The pictures of a scan: made through the store of samples, judged by the detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from anomend.detectors.detector import Detector
from anomend.detectors.table import make_detector
from anomend.diffusion.model_samplers import model_sampler
from anomend.diffusion.stored_sampling import StoredSampler
from anomend.measuring.detection import detection_of
from anomend.measuring.feature_store import FeatureStore
from anomend.params.params import Params
from anomend.pictures.image_sets import ImageFolderWriter, load_image
from anomend.pictures.sample_store import SampleStore, checksum
from anomend.project.slugs import slug
from anomend.scanning.rounds import Judged, Requests, Scanned

EXAMPLES = 3
"""Pictures of each kind, right and wrong, that are kept of a prompt that was found wrong; one of any other prompt."""


def block_size(seeds_per_round: int, batch_size: int) -> int:
    """Images that are sampled together: as many as `sample.batch_size` allows, so that no round makes more than it
    asks for."""
    return max(size for size in range(1, min(seeds_per_round, batch_size) + 1) if seeds_per_round % size == 0)


def scan_sampler(
    params: Params, prompts: Sequence[str], *, store: SampleStore, code: str, description: str = "scanning"
) -> StoredSampler:
    """The sampler of a scan, which loads the base once for all rounds.

    Args:
        params: all parameters.
        prompts: of the suite.
        store: keeps the images.
        code: fingerprint of the code that samples.
        description: names the images in the progress bar.
    """
    sampler = model_sampler(params.base, params.sample, store=store, code=code, description=description, ahead=prompts)
    return in_rounds(sampler, prompts, block_size(params.scan.seeds_per_round, params.sample.batch_size))


def judged_by_detector(params: Params, sampler: StoredSampler, features: Path) -> ScanPictures:
    """The sampler's images, judged by `measure.detector`.

    Args:
        params: all parameters.
        sampler: makes the images.
        features: folder that keeps what the detector found.

    Raises:
        ValueError: the detector names no anomalies.
    """
    detector = make_detector(params.measure.detector, params.detectors, params.base.device)
    if not detector.kinds:
        raise ValueError(f"measure.detector = {detector.name!r} names no anomalies: a scan needs one that does")
    kept = FeatureStore(features, params.base.device, detection=detection_of(params))
    return ScanPictures(sampler=sampler, detector=detector, features=kept)


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


def write_examples(folder: Path, sampler: StoredSampler, seen: Scanned, fresh_first: int) -> int:
    """Write pictures of each prompt as an image set, the first seeds of each kind; returns their number.

    Args:
        folder: the image set.
        sampler: of the scan.
        seen: the scan.
        fresh_first: the first fresh seed. Of prompts that were found wrong, fresh pictures alone are shown.
    """
    writer = ImageFolderWriter(folder)
    for prompt in seen.tallies:
        for seed, anomalous in examples(seen, prompt, fresh_first):
            path = stored(sampler, prompt, seed)
            row = {"text": prompt, "prompt": prompt, "seed": seed, "anomalous": anomalous, "source": "base"}
            recipe = sampler.samples.digest
            writer.add_stored(f"{slug(prompt)}-{seed}.png", path, checksum(path), **row, recipe=recipe)
    writer.close()
    return len(writer.rows)


def stored(sampler: StoredSampler, prompt: str, seed: int) -> Path:
    """The stored image.

    Raises:
        ValueError: it was deleted meanwhile.
    """
    path = sampler.samples.find(prompt, seed)
    if path is None:
        raise ValueError(f"an image of {prompt!r} was deleted from the store while scanning: run it again")
    return path


def examples(seen: Scanned, prompt: str, fresh_first: int) -> list[tuple[int, bool]]:
    """The seeds that are shown of a prompt, wrong pictures first, each with whether it is anomalous."""
    found = prompt in seen.fresh
    images = seeds_of(seen.anomalous, prompt)
    images = {seed: anomalous for seed, anomalous in images.items() if not found or seed >= fresh_first}
    most = EXAMPLES if found else 1
    return [
        (seed, kind) for kind in (True, False) for seed in [s for s, found in images.items() if found is kind][:most]
    ]


def seeds_of(anomalous: Judged, prompt: str) -> dict[int, bool | None]:
    """The images of one prompt by seed, in order."""
    return {seed: anomalous[text, seed] for text, seed in sorted(anomalous) if text == prompt}
