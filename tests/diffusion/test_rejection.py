"""Sampling until enough images are accepted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from anomend.diffusion.rejection import Image, Wanted, sample_kept, write_kept
from anomend.pictures.image_sets import read_imagefolder
from tests.conftest import ROOT


class Sampler:
    """Draws images whose pixels are their seed, and remembers the rounds of requests."""

    def __init__(self) -> None:
        self.rounds: list[list[tuple[str, int]]] = []

    def __call__(self, requests: Sequence[tuple[str, int]], attempt: int) -> list[Image]:
        self.rounds.append(list(requests))
        assert attempt == len(self.rounds)
        return [np.full((2, 2, 3), seed, np.uint8) for _, seed in requests]


def even(images: Sequence[Image]) -> list[bool]:
    return [int(image[0, 0, 0]) % 2 == 0 for image in images]


def test_later_rounds_ask_for_what_is_missing_at_new_seeds(tmp_path: Path) -> None:
    sampler = Sampler()
    kept, sampled = sample_kept(Wanted(prompts=["a", "b"], per_prompt=2, max_tries=3, first_seed=10), sampler, even)
    # Seeds 10 and 11, then one per prompt from 10 + 2.
    assert sampler.rounds == [[("a", 10), ("a", 11), ("b", 10), ("b", 11)], [("a", 12), ("b", 12)]]
    assert [(prompt, seed) for prompt, seed, _ in kept] == [("a", 10), ("b", 10), ("a", 12), ("b", 12)]
    assert sampled == 6
    write_kept(tmp_path, kept, "mini")
    table = read_imagefolder(tmp_path)
    assert table["seed"].tolist() == [10, 10, 12, 12] and set(table["model"]) == {"mini"}


def test_a_prompt_with_too_few_accepted_images_is_named() -> None:
    with pytest.raises(ValueError, match="only 0 images of 2 for 'a' were kept in 3 rounds"):
        sample_kept(
            Wanted(prompts=["a"], per_prompt=2, max_tries=3, first_seed=0), Sampler(), lambda images: [False, False]
        )


@pytest.mark.parametrize("stage", ["class_images", "losers", "train"])
def test_no_model_library_is_imported_before_there_is_work(stage: str) -> None:
    code = f"import sys, stages.{stage}; print([m for m in ('torch', 'diffusers', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, text=True, capture_output=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_loaded_for_no_images() -> None:
    code = (
        "import sys; from anomend.diffusion.rejection import Wanted, sample_by_anatomy\n"
        "wanted = Wanted(prompts=['a'], per_prompt=0, max_tries=1, first_seed=0)\n"
        "choice = {'detector': 'drawn_people', 'detectors': None, 'anomalous': True, 'description': ''}\n"
        "result = sample_by_anatomy(None, None, wanted, **choice)\n"
        "assert result == ([], 0) and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
