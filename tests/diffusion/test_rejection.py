"""Sampling until enough images are accepted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from anomend.diffusion.rejection import Image, TooFewImages, Wanted, select
from anomend.diffusion.stored_sampling import Draw, StoredSampler
from anomend.pictures.sample_store import SampleStore
from stages import class_images, losers
from tests.conftest import ROOT
from tests.parameters import params_of, user_params


class Sampler:
    """Images whose pixels are their seed; remembers the rounds of requests."""

    def __init__(self, folder: Path, size: int = 2) -> None:
        self.rounds: list[list[tuple[str, range]]] = []
        self.blocks: list[tuple[str, list[int]]] = []
        samples = SampleStore(folder).samples({})
        self.stored = StoredSampler(recipe={}, samples=samples, load=self.load, block_size=size, description="")

    def load(self, prompts: Sequence[str]) -> Draw:
        return self.draw

    def draw(self, prompt: str, seeds: Sequence[int]) -> list[Image]:
        self.blocks.append((prompt, list(seeds)))
        return [np.full((2, 2, 3), seed, np.uint8) for seed in seeds]

    def __call__(self, requests: Sequence[tuple[str, range]], first_seed: int) -> dict[tuple[str, int], Path]:
        self.rounds.append(list(requests))
        return self.stored.images(requests, first_seed)


def even(images: Sequence[Image]) -> list[bool]:
    return [int(image[0, 0, 0]) % 2 == 0 for image in images]


def never(images: Sequence[Image]) -> list[bool]:
    return [False for _ in images]


def wanted(**changes: object) -> Wanted:
    values = {"prompts": ["a", "b"], "per_prompt": 2, "max_tries": 3, "first_seed": 10, "min_share": 1.0}
    return Wanted(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_later_rounds_go_on_with_the_next_seeds(tmp_path: Path, size: int) -> None:
    sampler = Sampler(tmp_path, size)
    selection = select(wanted(), sampler, even)
    assert sampler.rounds == [
        [("a", range(10, 12)), ("b", range(10, 12))],
        [("a", range(12, 13)), ("b", range(12, 13))],
    ]
    # Whatever the size of a block, the same images are kept and counted.
    assert [(p, seed) for p, seed, _ in selection.kept] == [("a", 10), ("a", 12), ("b", 10), ("b", 12)]
    assert selection.sampled == 6 and selection.short == {}


def test_too_few_images_are_a_sentence_and_stay_in_the_store(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path)
    with pytest.raises(TooFewImages, match="only 0 of 6 images of 'a' passed, 2 wanted"):
        select(wanted(prompts=["a"], min_share=0.5), sampler, never)
    assert len(list(tmp_path.rglob("*.png"))) == 6
    again = Sampler(tmp_path)
    assert len(select(wanted(prompts=["a"]), again, even).kept) == 2 and again.blocks == []


@pytest.mark.parametrize("stage", [class_images, losers])
def test_a_base_that_is_missing_is_not_blamed_on_the_prompt(
    stage: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = user_params()
    user["base"]["local_folder"], user["train"]["method"] = "/nonexistent", "dpo"
    monkeypatch.setattr(stage, "load_params", lambda: params_of(user))
    monkeypatch.setattr(stage, "recorded_fingerprint", lambda _: "code")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=r"^/nonexistent is not a diffusers pipeline .* base\.local_folder to"
    ) as refused:
        stage.main()
    assert "the base draws" not in str(refused.value)


def test_a_prompt_that_is_short_goes_on_above_the_stated_share(tmp_path: Path) -> None:
    # Seeds 10 to 13: two are even, three are wanted.
    few = wanted(prompts=["a"], per_prompt=4, max_tries=1, min_share=0.5)
    selection = select(few, Sampler(tmp_path), even)
    assert [seed for _, seed, _ in selection.kept] == [10, 12] and selection.short == {"a": 2}
    with pytest.raises(TooFewImages, match="only 2 of 4"):
        select(wanted(prompts=["a"], per_prompt=4, max_tries=1, min_share=0.6), Sampler(tmp_path), even)


def test_no_image_wanted_samples_nothing(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path)
    assert select(wanted().none(), sampler, even).kept == [] and sampler.rounds == []


@pytest.mark.parametrize("stage", ["collect", "class_images", "losers", "train"])
def test_no_model_library_is_imported_before_there_is_work(stage: str) -> None:
    code = f"import sys, stages.{stage}; print([m for m in ('torch', 'diffusers', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, text=True, capture_output=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_loaded_for_no_images(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from anomend.diffusion.rejection import Wanted, select_by_anatomy, write_selection\n"
        "wanted = Wanted(prompts=['a'], per_prompt=0, max_tries=1, first_seed=0, min_share=1)\n"
        "choice = {'detector': 'drawn_people', 'detectors': None, 'anomalous': True, 'description': ''}\n"
        "choice |= {'base': None, 'sampling': None, 'store': None, 'code': ''}\n"
        "selection = select_by_anatomy(wanted, **choice)\n"
        f"write_selection(Path({str(tmp_path / 'set')!r}), selection, 'mini')\n"
        "assert selection.kept == [] and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["metadata.jsonl"]
