"""Sampling through the store: blocks, resuming, sharing."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomend.diffusion.stored_sampling import Draw, StoredSampler, blocks_of
from anomend.pictures.sample_store import SampleStore
from tests.clones import killed, start
from tests.conftest import ROOT


class Model:
    """Images whose pixels depend on the whole block, as the last bits of real ones do."""

    def __init__(self) -> None:
        self.blocks: list[tuple[str, list[int]]] = []
        self.loaded: list[list[str]] = []

    def load(self, prompts: Sequence[str]) -> Draw:
        self.loaded.append(list(prompts))
        return self.draw

    def draw(self, prompt: str, seeds: Sequence[int]) -> list[np.ndarray]:
        self.blocks.append((prompt, list(seeds)))
        return [np.full((2, 2, 3), (sum(seeds) + 7 * seed + len(prompt)) % 251, np.uint8) for seed in seeds]


def sampler(folder: Path, model: Model, size: int = 4) -> StoredSampler:
    samples = SampleStore(folder).samples({"base": "x"})
    return StoredSampler(recipe={}, samples=samples, load=model.load, block_size=size, description="")


def pixels(images: dict[tuple[str, int], Path]) -> dict[tuple[str, int], bytes]:
    return {key: path.read_bytes() for key, path in images.items()}


def test_blocks_are_counted_from_the_first_seed() -> None:
    blocks = blocks_of([("a", range(10, 15)), ("b", range(13, 14)), ("a", range(15, 16))], first_seed=10, size=4)
    assert [(block.prompt, list(block.seeds)) for block in blocks] == [
        ("a", [10, 11, 12, 13]),
        ("a", [14, 15, 16, 17]),
        ("b", [10, 11, 12, 13]),
    ]
    with pytest.raises(ValueError, match="seed 9 lies before the first seed, 10"):
        list(blocks_of([("a", range(9, 12))], first_seed=10, size=4))


def test_only_what_is_missing_is_made_and_the_bytes_are_those_of_one_run(tmp_path: Path) -> None:
    model = Model()
    first = sampler(tmp_path / "grown", model).images([("a", range(10, 16))], 10)
    assert len(first) == 6 and [seeds for _, seeds in model.blocks] == [[10, 11, 12, 13], [14, 15, 16, 17]]
    # A prompt and two seeds more: seeds 16 and 17 are there already.
    more = [("a", range(10, 18)), ("b", range(10, 14))]
    grown = sampler(tmp_path / "grown", model).images(more, 10)
    assert model.blocks[2:] == [("b", [10, 11, 12, 13])] and model.loaded == [["a"], ["b"]]
    assert pixels(grown) == pixels(sampler(tmp_path / "at once", Model()).images(more, 10))
    # Nothing is missing: no model is loaded.
    assert sampler(tmp_path / "grown", model).images(more, 10) == grown and len(model.loaded) == 2


def test_a_block_that_lost_an_image_is_made_whole_and_counted(tmp_path: Path) -> None:
    images = sampler(tmp_path, Model()).images([("a", range(8))], 0)
    before = pixels(images)
    images["a", 5].write_bytes(b"damaged")
    model = Model()
    assert pixels(sampler(tmp_path, model).images([("a", range(8))], 0)) == before
    assert model.blocks == [("a", [4, 5, 6, 7])]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["made_again"] for line in lines] == [0, 0, 3]


PROGRAM = """
import sys, time
from pathlib import Path
from tests.diffusion.test_stored_sampling import Model, sampler
class Slow(Model):
    def draw(self, prompt, seeds):
        time.sleep({seconds})
        return super().draw(prompt, seeds)
sampler(Path(sys.argv[1]), Slow()).images([("a", range(30)), ("b", range(17))], 0)
"""


def program(folder: Path, seconds: float) -> subprocess.Popen[str]:
    return start(ROOT, "python", "-c", PROGRAM.format(seconds=seconds), str(folder))


@pytest.mark.slow
def test_killed_at_any_moment_it_makes_one_block_again_at_most(tmp_path: Path) -> None:
    whole = pixels(sampler(tmp_path / "whole", Model()).images([("a", range(30)), ("b", range(17))], 0))
    moments = random.Random(1)
    kills = 0
    while kills < 6:
        running = program(tmp_path / "killed", 0.15)
        log, lines = tmp_path / "killed" / "log.jsonl", -1
        # A moment within the sampling of one block or two, wherever the start falls.
        before = len(log.read_text().splitlines()) if log.exists() else 0
        while lines <= before and running.poll() is None:
            time.sleep(0.01)
            lines = len(log.read_text().splitlines()) if log.exists() else 0
        time.sleep(moments.uniform(0, 0.3))
        if running.poll() is not None:
            break
        killed(running)
        kills += 1
    assert kills >= 3
    resumed = sampler(tmp_path / "killed", Model()).images([("a", range(30)), ("b", range(17))], 0)
    assert pixels(resumed) == whole
    log_lines = [json.loads(line) for line in (tmp_path / "killed" / "log.jsonl").read_text().splitlines()]
    assert sum(line["made_again"] for line in log_lines) <= kills * 4
    # Each block has one line, or two where a kill fell between its last image and its line.
    assert len(log_lines) <= 13 + kills


@pytest.mark.slow
def test_two_processes_share_the_blocks(tmp_path: Path) -> None:
    whole = pixels(sampler(tmp_path / "one", Model()).images([("a", range(30)), ("b", range(17))], 0))
    both = [program(tmp_path / "two", 0.2) for _ in range(2)]
    assert [running.wait() for running in both] == [0, 0]
    model = Model()
    assert pixels(sampler(tmp_path / "two", model).images([("a", range(30)), ("b", range(17))], 0)) == whole
    lines = [json.loads(line) for line in (tmp_path / "two" / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 13 and not model.blocks and not any(line["made_again"] for line in lines)


def test_an_image_that_is_not_finite_is_not_stored(tmp_path: Path) -> None:
    def draw(prompt: str, seeds: Sequence[int]) -> list[np.ndarray]:
        raise ValueError("the image of 'a' at seed 2 is not finite")

    samples = SampleStore(tmp_path).samples({})
    broken = StoredSampler(recipe={}, samples=samples, load=lambda _: draw, block_size=2, description="")
    with pytest.raises(ValueError, match="at seed 2"):
        broken.images([("a", range(4))], 0)
    assert not list(tmp_path.rglob("*.png"))
    # The lock is free again.
    assert len(sampler(tmp_path, Model(), 2).images([("a", range(4))], 0)) == 4


def test_stored_images_are_pngs_of_the_drawn_pixels(tmp_path: Path) -> None:
    images = sampler(tmp_path, Model()).images([("a", range(1))], 0)
    assert (np.asarray(Image.open(images["a", 0])) == (0 + 1 + 2 + 3 + 1) % 251).all()
