"""The pictures of a scan: blocks of a round, one loading of the model, and which pictures are shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from anomend.detectors.detector import Detector
from anomend.detectors.observation import Observation
from anomend.diffusion.stored_sampling import Draw, Image, StoredSampler
from anomend.measuring.feature_store import FeatureStore
from anomend.pictures.image_sets import read_imagefolder
from anomend.pictures.sample_store import SampleStore
from anomend.scanning.pictures import ScanPictures, block_size, in_rounds, write_examples
from anomend.scanning.rounds import Scanned, scan
from anomend.scanning.rules import Rules

RULES = Rules(seeds_per_round=4, most_seeds=16)
FRESH = range(500, 508)


class Model:
    """Draws "bad" mostly dark, which its detector calls an anomaly, and "good" bright."""

    def __init__(self) -> None:
        self.loaded: list[list[str]] = []
        self.drawn: list[tuple[str, list[int]]] = []

    def load(self, prompts: Sequence[str]) -> Draw:
        self.loaded.append(list(prompts))

        def draw(prompt: str, seeds: Sequence[int]) -> list[Image]:
            self.drawn.append((prompt, list(seeds)))
            dark = [prompt == "bad" and seed % 6 != 5 for seed in seeds]
            return [
                np.full((8, 8, 3), (seed % 100) + (0 if is_dark else 128), dtype=np.uint8)
                for seed, is_dark in zip(seeds, dark, strict=True)
            ]

        return draw


def detect(image: Image) -> Observation:
    return Observation(anomalies=("dark",) if image.max() < 128 else ())


@pytest.fixture
def made(tmp_path: Path) -> tuple[Model, ScanPictures, Scanned]:
    model = Model()
    samples = SampleStore(tmp_path / "store").samples({"base": "test"})
    sampler = StoredSampler(recipe={}, samples=samples, load=model.load, block_size=99, description="")
    pictures = ScanPictures(
        sampler=in_rounds(sampler, ["bad", "good"], 4),
        detector=Detector(name="dark", detect=detect, kinds=("dark",)),
        features=FeatureStore(tmp_path / "features"),
    )
    return model, pictures, scan(["bad", "good"], RULES, pictures.find, first_seed=100, fresh_seeds=FRESH)


def test_each_round_is_sampled_in_whole_blocks_and_the_model_is_loaded_once(
    made: tuple[Model, ScanPictures, Scanned],
) -> None:
    model, _, seen = made
    assert model.loaded == [["bad", "good"]] and seen.found == ["bad"]
    assert sum(len(seeds) for _, seeds in model.drawn) == seen.explored_images + seen.fresh_images
    assert [seeds for prompt, seeds in model.drawn if prompt == "bad"][-2:] == [[*range(500, 504)], [*range(504, 508)]]


def test_the_same_scan_again_draws_nothing(made: tuple[Model, ScanPictures, Scanned]) -> None:
    model, pictures, seen = made
    drawn = len(model.drawn)
    assert scan(["bad", "good"], RULES, pictures.find, first_seed=100, fresh_seeds=FRESH) == seen
    assert len(model.drawn) == drawn


def test_the_first_seeds_of_each_kind_are_shown_and_fresh_ones_of_what_was_found(
    made: tuple[Model, ScanPictures, Scanned], tmp_path: Path
) -> None:
    _, pictures, seen = made
    count = write_examples(tmp_path / "examples", pictures.sampler, seen, FRESH.start)
    shown = read_imagefolder(tmp_path / "examples")
    assert count == len(shown)
    bad, good = (shown[shown["prompt"] == prompt] for prompt in ("bad", "good"))
    # Seeds 503 is the only right one among the fresh: 503 % 6 == 5.
    assert list(zip(bad["seed"], bad["anomalous"], strict=True)) == [
        (500, True), (501, True), (502, True), (503, False),
    ]  # fmt: skip
    assert list(zip(good["seed"], good["anomalous"], strict=True)) == [(100, False)]


@pytest.mark.parametrize(("per_round", "batch", "size"), [(8, 16, 8), (8, 4, 4), (8, 3, 2), (6, 4, 3), (7, 4, 1)])
def test_a_round_is_cut_into_whole_batches(per_round: int, batch: int, size: int) -> None:
    assert block_size(per_round, batch) == size
