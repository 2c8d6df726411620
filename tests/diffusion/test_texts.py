"""Text embeddings are computed once, and the text encoders are loaded for missing ones alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from anomend.diffusion import texts as module
from anomend.diffusion.embeddings import encode_texts
from anomend.diffusion.encoding import texts_at_a_time
from anomend.diffusion.loading import load_for_texts
from anomend.diffusion.recipes import sampling_recipe, text_recipe
from anomend.diffusion.sampling import load_sampler, sample_images, sampling_options
from anomend.diffusion.text_store import TextStore
from anomend.diffusion.texts import StoredTexts
from anomend.params.diffusion import BaseModelParams
from studies.rehearsal.random_base import SHRUNK, write_random_base
from tests.conftest import ROOT
from tests.parameters import params_of, user_params

PARAMS = params_of(user_params())
MINI = PARAMS.base.model_copy(update={"local_folder": str(ROOT / "models" / "mini")})
TEXTS = ["", "lying on the grass", "lying on the street, in winter"]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each time that the text encoders are loaded: whether T5 was asked for in 8 bits."""
    seen: list[bool] = []

    def load(base: BaseModelParams, *, t5_8bit: bool = False) -> Any:
        seen.append(t5_8bit)
        return load_for_texts(base)

    monkeypatch.setattr(module, "load_for_texts", load)
    return seen


def stored(
    folder: Path, base: BaseModelParams = MINI, *, t5_8bit: bool = False, ahead: tuple[str, ...] = ()
) -> StoredTexts:
    recipe = text_recipe(sampling_recipe(base, PARAMS.sample, code="code"), t5_8bit=t5_8bit)
    return StoredTexts(base, TextStore(folder), recipe, ahead=ahead)


def test_a_second_call_loads_nothing_and_gives_the_same_values(tmp_path: Path, loads: list[bool]) -> None:
    how = {"max_sequence_length": 1, "batch_size": 1}
    plain = encode_texts(load_for_texts(MINI), TEXTS, **how)
    for texts in (TEXTS, TEXTS, TEXTS[:2]):
        found = stored(tmp_path)(texts, **how)
        assert found.captions == texts and found.texts["embeds"].dtype == torch.float32
        assert torch.equal(found.texts["embeds"], plain.texts["embeds"][: len(texts)])
        assert torch.equal(found.texts["pooled"], plain.texts["pooled"][: len(texts)])
    assert len(loads) == 1
    # One more text encodes that text alone.
    more = stored(tmp_path)
    assert more([*TEXTS, "sitting"], **how).captions[-1] == "sitting" and len(loads) == 2
    assert len(list((tmp_path / "texts").glob("*.safetensors"))) == 4


def test_texts_of_later_stages_are_encoded_while_the_encoders_are_there(tmp_path: Path, loads: list[bool]) -> None:
    how = {"max_sequence_length": 1, "batch_size": 1}
    stored(tmp_path, ahead=("sitting", TEXTS[1]))(TEXTS, **how)
    stored(tmp_path)(["sitting", *TEXTS], **how)
    assert len(loads) == 1
    # Where nothing is missing, nothing is loaded for them either.
    stored(tmp_path, ahead=("standing",))(TEXTS, **how)
    assert len(loads) == 1


def test_what_an_embedding_depends_on_is_its_key(tmp_path: Path, loads: list[bool]) -> None:
    how = {"max_sequence_length": 1, "batch_size": 1}
    stored(tmp_path)(TEXTS, **how)
    stored(tmp_path)(TEXTS, max_sequence_length=2, batch_size=1)
    # In other company the last bits are others.
    together = stored(tmp_path)(TEXTS, max_sequence_length=1, batch_size=3)
    plain = encode_texts(load_for_texts(MINI), TEXTS, max_sequence_length=1, batch_size=3)
    assert torch.equal(together.texts["pooled"], plain.texts["pooled"])
    stored(tmp_path, t5_8bit=True)(TEXTS, **how)
    assert loads == [False, False, False, True]
    recipe = sampling_recipe(MINI, PARAMS.sample, code="code")
    for key in ("base", "dtype", "device", "code", "libraries"):
        assert text_recipe(recipe | {key: "another"}) != text_recipe(recipe)
    for key in ("lora", "steps", "resolution", "quantise"):
        assert text_recipe(recipe | {key: "another"}) == text_recipe(recipe)


def test_a_damaged_file_is_encoded_again(tmp_path: Path, loads: list[bool]) -> None:
    how = {"max_sequence_length": 1, "batch_size": 1}
    before = stored(tmp_path)(TEXTS, **how)
    damaged = sorted((tmp_path / "texts").glob("*.safetensors"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert torch.equal(stored(tmp_path)(TEXTS, **how).texts["pooled"], before.texts["pooled"]) and len(loads) == 2


def test_texts_are_bounded_by_what_was_used_longest_ago(tmp_path: Path) -> None:
    store = TextStore(tmp_path)
    assert store.prune(0) == 0 and store.find("a") is None
    for age, key in enumerate("abc"):
        store.add(key, key.encode() * 10)
        (path,) = store.folder.glob(f"{key}-*")
        os.utime(path, (age + 1, age + 1))
    assert store.find("a") == b"a" * 10
    assert store.prune(20) == 1
    assert [store.find(key) is not None for key in "abc"] == [True, False, True]


def test_images_with_stored_texts_are_those_of_encoded_ones(tmp_path: Path, loads: list[bool]) -> None:
    options = sampling_options(MINI, PARAMS.sample) | {"steps": 2}
    requests, images = [(TEXTS[1], seed) for seed in range(2)], []
    for texts in (None, stored(tmp_path), stored(tmp_path)):
        pipeline, embedded = load_sampler(MINI, [TEXTS[1]], texts)
        images.append([image.tobytes() for image in sample_images(pipeline, requests, **options, texts=embedded)])
    assert images[0] == images[1] == images[2] and len(loads) == 1


@pytest.mark.slow
def test_with_t5_stage_encode_and_sampling_share_their_texts(tmp_path: Path, loads: list[bool]) -> None:
    write_random_base(tmp_path / "base", SHRUNK, seed=0)
    changes = {"name": "rehearsal", "local_folder": str(tmp_path / "base"), "max_sequence_length": 16}
    base = MINI.model_copy(update=changes)
    at_a_time = texts_at_a_time(base, PARAMS.encode)
    assert at_a_time == 1 and texts_at_a_time(MINI, PARAMS.encode) == PARAMS.encode.batch_size
    encoded = stored(tmp_path, base)(TEXTS, max_sequence_length=16, batch_size=at_a_time)
    _, sampled = load_sampler(base, TEXTS, stored(tmp_path, base))
    assert (
        len(loads) == 1 and torch.equal(sampled.texts["embeds"], encoded.texts["embeds"]) and sampled.captions == TEXTS
    )
