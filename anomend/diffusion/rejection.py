"""Images of the base that a detector accepts: right ones for prior preservation, anomalous ones to learn against."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomend.detectors.table import make_detector
from anomend.diffusion.model_samplers import model_sampler
from anomend.params.detectors import DetectorParams
from anomend.params.diffusion import BaseModelParams, SampleParams
from anomend.pictures.image_sets import ImageFolderWriter, load_image
from anomend.pictures.sample_store import SampleStore, checksum

Image = NDArray[np.uint8]
Accept = Callable[[Sequence[Image]], Sequence[bool]]
"""Returns for each image whether it is kept."""
Sample = Callable[[Sequence[tuple[str, range]], int], Mapping[tuple[str, int], Path]]
"""Maps prompts, each with seeds, and the first seed of all, to stored images (`StoredSampler.images`)."""
AT_ONCE = 64
"""Images in memory."""


class TooFewImages(ValueError):
    """The detector accepted too few images of a prompt."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How many images are kept, and how many are sampled at most."""

    prompts: Sequence[str]
    per_prompt: int
    """Images to keep per prompt."""
    max_tries: int
    """Images sampled at most, per image to keep."""
    min_share: float
    """Smallest share of `per_prompt` that is enough to go on with."""
    first_seed: int
    """Seed of the first image; the next ones count up."""

    def none(self) -> Wanted:
        """The same without any image."""
        return replace(self, per_prompt=0)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What was kept."""

    kept: list[tuple[str, int, Path]] = field(default_factory=list)
    """Prompt, seed and stored image; by prompt, then by seed."""
    rejected: list[tuple[str, int]] = field(default_factory=list)
    """Prompt and seed of the images that were not, in the order in which the detector saw them."""
    short: dict[str, int] = field(default_factory=dict)
    """Prompts with fewer images than wanted -> how many they have."""
    recipe: str = ""
    """Digest of what the images depend on besides prompt and seed."""

    @property
    def sampled(self) -> int:
        """How many images the detector saw."""
        return len(self.kept) + len(self.rejected)


def select(wanted: Wanted, sample: Sample, accept: Accept) -> Selection:
    """Sample until each prompt has enough images that are accepted: of its seeds, the first ones.

    Args:
        wanted: prompts, numbers and seeds; with `per_prompt` 0, nothing is sampled.
        sample: makes the images.
        accept: decides on them.

    Raises:
        TooFewImages: a prompt has fewer images than `min_share` allows; the sentence names it.
    """
    kept: dict[str, list[tuple[int, Path]]] = {prompt: [] for prompt in wanted.prompts}
    rejected: list[tuple[str, int]] = []
    tried = dict.fromkeys(wanted.prompts, 0)
    most = wanted.per_prompt * wanted.max_tries
    while requests := [
        (prompt, range(first, first + min(wanted.per_prompt - len(kept[prompt]), most - tried[prompt])))
        for prompt in kept
        if len(kept[prompt]) < wanted.per_prompt and tried[prompt] < most
        for first in [wanted.first_seed + tried[prompt]]
    ]:
        images = sample(requests, wanted.first_seed)
        keys = [(prompt, seed) for prompt, seeds in requests for seed in seeds]
        for start in range(0, len(keys), AT_ONCE):
            part = keys[start : start + AT_ONCE]
            for (prompt, seed), accepted in zip(part, accept([load_image(images[key]) for key in part]), strict=True):
                tried[prompt] += 1
                if accepted:
                    kept[prompt].append((seed, images[prompt, seed]))
                else:
                    rejected.append((prompt, seed))
    short = {prompt: len(rows) for prompt, rows in kept.items() if len(rows) < wanted.per_prompt}
    for prompt, count in short.items():
        if count < math.ceil(wanted.min_share * wanted.per_prompt):
            raise TooFewImages(
                f"only {count} of {tried[prompt]} images of {prompt!r} passed, {wanted.per_prompt} wanted"
            )
    return Selection(
        kept=[(prompt, seed, path) for prompt, rows in kept.items() for seed, path in rows],
        rejected=rejected,
        short=short,
    )


def select_by_anatomy(
    wanted: Wanted,
    *,
    base: BaseModelParams,
    sampling: SampleParams,
    store: SampleStore,
    code: str,
    detector: str,
    detectors: DetectorParams,
    anomalous: bool,
    description: str,
    ahead: Sequence[str] = (),
    earlier: Path | None = None,
) -> Selection:
    """Images of the base that are right, or anomalous ones. Several processes may call it at once: they share the work.

    Args:
        wanted: prompts, numbers and seeds; with `per_prompt` 0, no model is loaded.
        base: the base.
        sampling: how it is sampled.
        store: keeps all sampled images, also those that are not kept here.
        code: fingerprint of the code that samples.
        detector: a detector of `anomend.detectors.table`; "none" finds no anomaly in any image.
        detectors: the models that detectors load.
        anomalous: keep images with an anomaly; False: keep images without one.
        description: names the images in the progress bar.
        ahead: prompts of later stages, whose texts are encoded too where text encoders have to be loaded.
        earlier: image set that an earlier run, or `dvc pull`, left: its images are taken into the store first.

    Raises:
        TooFewImages: a prompt has too few images; the sentence names it.
    """
    if not wanted.per_prompt:
        return Selection()
    sampler = model_sampler(base, sampling, store=store, code=code, description=description, ahead=ahead)
    if earlier is not None:
        sampler.samples.refill(earlier)
    loaded = make_detector(detector, detectors, base.device)

    def accept(images: Sequence[Image]) -> list[bool]:
        return [bool(anomalies) is anomalous for anomalies in loaded.anomalies(images)]

    selection = select(wanted, sampler.images, accept)
    for prompt, count in selection.short.items():
        print(f"{description}: {count} of {wanted.per_prompt} for {prompt!r}, which is enough to go on")
    return replace(selection, recipe=sampler.samples.digest)


def write_selection(folder: Path, selection: Selection, model: str) -> None:
    """Write what was kept as an image set.

    Args:
        folder: the image set; what is in it is replaced.
        selection: what was kept.
        model: the base's name, each row's `model`.
    """
    writer = ImageFolderWriter(folder)
    about = {"source": "base", "model": model, "recipe": selection.recipe}
    for index, (prompt, seed, path) in enumerate(selection.kept):
        row = {"text": prompt, "prompt": prompt, "seed": seed, **about}
        writer.add_stored(f"{index:04d}.png", path, checksum(path), **row)
    writer.close()
