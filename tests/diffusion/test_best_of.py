"""Best of n, against a loop written by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomend.detectors.drawn_people import make
from anomend.diffusion.base_models import load_pipeline
from anomend.diffusion.best_of import BestOf, Image
from anomend.diffusion.sample_sets import write_sample_set
from anomend.diffusion.sampling import sample_images
from anomend.diffusion.stored_sampling import Draw, StoredSampler
from anomend.miniature.anatomy import check
from anomend.params.detectors import DetectorParams
from anomend.params.tuned import SEEDS_PER_TRY, BestOfParams
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.pictures.sample_store import SampleStore
from anomend.project.seeding import derived_seed
from tests.conftest import ROOT
from tests.parameters import values_in_force

FIRST, TRIES = 20, 5_000
"""First seed of the images, and of their first try."""


class Model:
    """Images whose first pixel is a number for their prompt and seed."""

    def __init__(self) -> None:
        self.drawn: list[tuple[str, int]] = []

    def load(self, prompts: Sequence[str]) -> Draw:
        return self.draw

    def draw(self, prompt: str, seeds: Sequence[int]) -> list[Image]:
        self.drawn += [(prompt, seed) for seed in seeds]
        return [np.full((2, 2, 3), number(prompt, seed), np.uint8) for seed in seeds]


def number(prompt: str, seed: int) -> int:
    return derived_seed(prompt, seed) % 7


def wrong(images: Sequence[Image]) -> list[tuple[str, ...]]:
    """The numbers 0 and 1 are right; others are the count of anomalies."""
    numbers = [int(image[0, 0, 0]) for image in images]
    return [("extra_arm",) * n if n > 1 else () for n in numbers]


def sampler(folder: Path, model: Model, n: int = 4, size: int = 1) -> BestOf:
    samples = SampleStore(folder).samples({"base": "x"})
    recipe = {"base": "x", "device": "cpu"}
    candidates = StoredSampler(recipe=recipe, samples=samples, load=model.load, block_size=size, description="")
    return BestOf(candidates=candidates, settings=BestOfParams(n=n, detector="d", first_seed=TRIES), detect=wrong)


def by_hand(prompt: str, seed: int, n: int = 4) -> tuple[int, int, int]:
    """The seed that is kept, images drawn, and anomalies in the one that is kept."""
    seeds = [TRIES + (seed - FIRST) + 10_000 * number for number in range(n)]
    anomalies = [len(wrong([np.full((2, 2, 3), number(prompt, each), np.uint8)])[0]) for each in seeds]
    for place, count in enumerate(anomalies):
        if count == 0:
            return seeds[place], place + 1, 0
    least = anomalies.index(min(anomalies))
    return seeds[least], n, anomalies[least]


REQUESTS = [("a", range(20, 50)), ("bc", range(20, 40))]
KEYS = [(prompt, seed) for prompt, seeds in REQUESTS for seed in seeds]


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("n", [2, 4])
def test_the_first_right_image_of_n_is_kept_and_what_was_drawn_is_counted(tmp_path: Path, n: int, size: int) -> None:
    model = Model()
    best = sampler(tmp_path, model, n, size)
    images = best.images(REQUESTS, FIRST)
    expected = {key: by_hand(*key, n) for key in KEYS}
    assert {key: (c.seed, c.drawn, c.anomalies) for key, c in best.choices.items()} == expected
    # There are some of each kind: right at once, right later, never right.
    assert {1, 2} <= {drawn for _, drawn, _ in expected.values()} and any(left for *_, left in expected.values())
    assert all(load_image(images[key])[0, 0, 0] == number(key[0], expected[key][0]) for key in KEYS)
    # Drawn were whole blocks, and each image once.
    assert len(model.drawn) == len(set(model.drawn)) == len(best.blocks) * size
    if size == 1:
        assert len(model.drawn) == sum(drawn for _, drawn, _ in expected.values())


def test_more_seeds_or_more_tries_draw_the_further_images_alone(tmp_path: Path) -> None:
    model = Model()
    sampler(tmp_path, model, 2).images([("a", range(20, 30))], FIRST)
    first = set(model.drawn)
    best = sampler(tmp_path, model, 4)
    best.images([("a", range(20, 30))], FIRST)
    grown = best.images([("a", range(20, 40))], FIRST)
    assert len(model.drawn) == len(set(model.drawn)) and first < set(model.drawn)
    at_once = sampler(tmp_path / "other", Model(), 4).images([("a", range(20, 40))], FIRST)
    assert {key: path.read_bytes() for key, path in grown.items()} == {k: p.read_bytes() for k, p in at_once.items()}
    # All is there: nothing is drawn.
    count = len(model.drawn)
    sampler(tmp_path, model, 4).images([("a", range(20, 40))], FIRST)
    assert len(model.drawn) == count


def test_its_image_set_is_of_the_pairs_seeds_and_names_those_that_were_drawn(tmp_path: Path) -> None:
    best = sampler(tmp_path / "store", Model())
    write = partial(write_sample_set, first_seed=FIRST, model="tuned", name="mini, best of 4 by d")
    seeds = {"target": {"a": 20}, "held_out": {"bc": 10}}
    assert write(tmp_path / "set", best, seeds=seeds) == 30
    table = read_imagefolder(tmp_path / "set")
    for row in table.to_dict("records"):
        assert (row["drawn_seed"], row["drawn"], row["anomalies_seen"]) == by_hand(row["prompt"], row["seed"])
        assert load_image(row["path"])[0, 0, 0] == number(row["prompt"], row["drawn_seed"])
    # Its recipe is not that of the store's images, which are at other seeds: none is taken for one of them.
    assert set(table["recipe"]) == {best.digest} and best.digest != best.samples.digest
    assert best.recipe["best_of"] == {"n": 4, "detector": "d", "first_seed": TRIES}
    other = sampler(tmp_path / "other store", Model())
    assert other.samples.refill(tmp_path / "set") == 0


def test_with_the_miniature_it_is_the_loop_over_images_of_the_base(tmp_path: Path) -> None:
    pipeline = load_pipeline("mini", str(ROOT / "models" / "mini"), "float32")
    settings: dict[str, Any] = {
        "steps": 6,
        "guidance_scale": 4.0,
        "resolution": 64,
        "max_sequence_length": 1,
        "batch_size": 1,
    }

    def draw(prompt: str, seeds: Sequence[int]) -> list[Image]:
        return list(sample_images(pipeline, [(prompt, seed) for seed in seeds], **settings, description=""))

    detector = make("", DetectorParams(**values_in_force()["detectors"]))
    samples = SampleStore(tmp_path).samples({})
    candidates = StoredSampler(recipe={}, samples=samples, load=lambda _: draw, block_size=1, description="")
    best = BestOf(
        candidates=candidates,
        settings=BestOfParams(n=3, detector="drawn_people", first_seed=TRIES),
        detect=detector.anomalies,
    )
    prompts = ("lying on the grass", "standing on the beach")
    images = best.images([(prompt, range(FIRST, FIRST + 4)) for prompt in prompts], FIRST)
    drawn = 0
    for (prompt, seed), path in images.items():
        tries = []
        for number in range(3):
            tries.append(draw(prompt, [TRIES + seed - FIRST + SEEDS_PER_TRY * number])[0])
            if not check(tries[-1]).anomalous:
                break
        drawn += len(tries)
        kept = tries[int(np.argmin([len(check(image).anomalies) for image in tries]))]
        assert np.array_equal(load_image(path), kept)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert drawn == sum(choice.drawn for choice in best.choices.values()) == sum(line["images"] for line in lines)
    assert 8 < drawn < 24
