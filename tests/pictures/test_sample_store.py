"""The store of samples: what it keeps, what it trusts, what it deletes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomend.pictures.image_sets import METADATA, ImageFolderWriter
from anomend.pictures.sample_store import SampleStore, checksum
from anomend.project.files import sha256_of

RECIPE = {"base": "sha256:1", "steps": 8}
PICTURE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def test_an_image_is_found_by_recipe_prompt_and_seed(tmp_path: Path) -> None:
    samples = SampleStore(tmp_path).samples(RECIPE)
    path = samples.add("lying on the grass", 3, PICTURE)
    assert (np.asarray(Image.open(path)) == PICTURE).all() and checksum(path) == sha256_of(path)
    again = SampleStore(tmp_path).samples(dict(reversed(RECIPE.items())))
    assert again.find("lying on the grass", 3) == path
    assert again.find("lying on the grass", 30) is None and again.find("lying on the gras", 3) is None
    assert SampleStore(tmp_path).samples(RECIPE | {"steps": 9}).find("lying on the grass", 3) is None


def test_prompts_that_look_alike_as_file_names_are_told_apart(tmp_path: Path) -> None:
    samples = SampleStore(tmp_path).samples(RECIPE)
    prompts = ["A b", "a b", "a b!", "../a b", "a" * 300, "a" * 301, "飴", "雨"]
    for number, prompt in enumerate(prompts):
        samples.add(prompt, 1, np.full_like(PICTURE, number))
    fresh = SampleStore(tmp_path).samples(RECIPE)
    found = [fresh.find(prompt, 1) for prompt in prompts]
    assert [int(np.asarray(Image.open(path))[0, 0, 0]) for path in found if path] == list(range(len(prompts)))
    assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*.png"))


@pytest.mark.parametrize("damage", [b"", b"\x89PNG", None])
def test_a_damaged_image_is_not_trusted(tmp_path: Path, damage: bytes | None) -> None:
    path = SampleStore(tmp_path).samples(RECIPE).add("p", 1, PICTURE)
    path.write_bytes(path.read_bytes()[:-1] + b"\0" if damage is None else damage)
    samples = SampleStore(tmp_path).samples(RECIPE)
    assert samples.find("p", 1) is None and not path.exists()
    assert samples.find("p", 1) is None
    assert samples.add("p", 1, PICTURE) == path == samples.find("p", 1)


def test_images_that_dvc_brought_are_taken_over(tmp_path: Path) -> None:
    samples = SampleStore(tmp_path / "store").samples(RECIPE)
    writer = ImageFolderWriter(tmp_path / "set")
    for seed, recipe in ((1, samples.digest), (2, "another"), (3, samples.digest)):
        writer.add(f"{seed}.png", PICTURE + seed, text="p", prompt="p", seed=seed, recipe=recipe)
    writer.close()
    # One image was changed by hand since.
    (tmp_path / "set" / "3.png").write_bytes(b"edited")
    assert samples.refill(tmp_path / "set") == 1 and samples.refill(tmp_path / "set") == 0
    assert [samples.find("p", seed) is not None for seed in (1, 2, 3)] == [True, False, False]
    assert samples.refill(tmp_path / "missing") == 0
    metadata = tmp_path / "set" / METADATA
    metadata.write_bytes(metadata.read_bytes()[:40])
    assert SampleStore(tmp_path / "other").samples(RECIPE).refill(tmp_path / "set") == 0


def test_what_was_used_longest_ago_is_deleted_first(tmp_path: Path) -> None:
    store = SampleStore(tmp_path)
    digests = []
    for number in range(4):
        samples = store.samples(RECIPE | {"steps": number})
        samples.add("p", 1, PICTURE)
        digests.append(samples.digest)
        os.utime(samples.folder / "recipe.json", (number, number))
    one = store.size() // 4
    store.samples(RECIPE | {"steps": 0})  # Used again: now the newest.
    assert store.prune(10 * one) == []
    assert store.prune(2 * one, keep=[digests[1]]) == digests[2:]
    assert sorted(folder.name for folder in store.recipes()) == sorted(digests[:2])
    assert SampleStore(tmp_path / "nowhere").prune(0) == []


def test_the_log_has_a_line_per_block(tmp_path: Path) -> None:
    samples = SampleStore(tmp_path).samples(RECIPE)
    samples.note_block("p", range(4, 8), 1)
    (line,) = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    assert {"prompt": "p", "first_seed": 4, "images": 4, "made_again": 1}.items() <= line.items()
