"""Which samples are the same with `sample.tuned`, and what metrics/sample_tuned.json says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomend.diffusion import tuned_model
from anomend.diffusion.best_of import BestOf
from anomend.diffusion.lora_origin import LoraOrigin, read_origin, write_origin
from anomend.diffusion.stored_sampling import StoredSampler
from anomend.diffusion.tuned_metrics import model_name, tuned_metrics
from anomend.params.params import Params
from anomend.params.profiles import merge
from anomend.pictures.sample_store import SampleStore
from tests.parameters import params_of, user_params

NONE = {"train": {"method": "none"}}
NEGATIVE = {"negative_prompt": "blurry"}
SKIP = {"skip_layers": {"layers": [1, 2]}}
BEST = {"best_of": {"n": 3}}


def of(*changes: dict[str, Any]) -> Params:
    user = user_params()
    for change in changes:
        user = merge(user, change)
    return params_of(user)


def tuned(**values: Any) -> dict[str, Any]:
    return {"sample": {"tuned": values}}


@pytest.fixture(autouse=True)
def code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuned_model, "recorded_fingerprint", lambda name: name)


def sampler(folder: Path, model: str, *changes: dict[str, Any]) -> Any:
    return tuned_model.sampler_of(model, of(*changes), store=SampleStore(folder), lora=None)


def test_the_base_is_never_touched_and_without_settings_both_are_the_same(tmp_path: Path) -> None:
    plain = sampler(tmp_path, "base")
    for changes in (tuned(**NEGATIVE), tuned(**SKIP), tuned(**BEST)):
        base = sampler(tmp_path, "base", NONE, changes)
        assert isinstance(base, StoredSampler) and base.digest == plain.digest
    # As every set before there was such a setting: the recipe has no further key.
    assert sampler(tmp_path, "tuned").recipe == plain.recipe
    assert not {"skip_layers", "best_of", "guidance_code"} & set(plain.recipe)
    assert plain.recipe["negative_prompt"] == "" and plain.recipe["code"] == "sampler"


def test_what_determines_an_image_is_in_its_recipe(tmp_path: Path) -> None:
    plain = sampler(tmp_path, "base").recipe
    negative = sampler(tmp_path, "tuned", NONE, tuned(**NEGATIVE)).recipe
    assert dict(negative) == dict(plain) | {"guidance_code": "guided_sampler", "negative_prompt": "blurry"}
    skip = sampler(tmp_path, "tuned", NONE, tuned(**SKIP)).recipe
    values = {"layers": [1, 2], "scale": 2.8, "start": 0.01, "stop": 0.2}
    assert dict(skip) == dict(plain) | {"guidance_code": "guided_sampler", "skip_layers": values}
    digests = {
        sampler(tmp_path, "tuned", NONE, tuned(skip_layers=values | change)).digest
        for change in ({}, {"layers": [1]}, {"scale": 3.0}, {"start": 0.02}, {"stop": 0.3})
    }
    assert len(digests) == 5


def test_the_best_of_n_is_drawn_from_the_images_of_the_model_itself(tmp_path: Path) -> None:
    plain, best = sampler(tmp_path, "base"), sampler(tmp_path, "tuned", NONE, tuned(**BEST))
    assert isinstance(best, BestOf) and best.samples.digest == plain.digest and best.digest != plain.digest
    guided = sampler(tmp_path, "tuned", NONE, tuned(**BEST, **NEGATIVE))
    assert guided.samples.digest == sampler(tmp_path, "tuned", NONE, tuned(**NEGATIVE)).digest
    assert guided.recipe["negative_prompt"] == "blurry" and guided.recipe["best_of"]["n"] == 3


def test_a_lora_alone_adds_nothing(tmp_path: Path) -> None:
    params = of()
    assert tuned_metrics(params, sampler(tmp_path, "tuned"), 960) == {}
    assert model_name("tuned", params, "ab" * 32) == "mini + LoRA abababababab"
    assert model_name("base", of(NONE, tuned(**BEST)), None) == "mini"


def test_guidance_costs_its_further_passes(tmp_path: Path) -> None:
    """20 steps of two passes; with start .01 and stop .2 those of 1, 2 and 3 have a third."""
    said = tuned_metrics(of(tuned(**SKIP, **NEGATIVE)), sampler(tmp_path, "tuned", tuned(**SKIP, **NEGATIVE)), 960)
    assert said["images_drawn"] == 960 and said["drawn_per_image"] == 1 and "draws" not in said
    assert said["model_evaluations_per_image"] == 43 and said["model_evaluations_per_image_base"] == 40
    assert said["tuned_model"] == (
        "The tuned model is the base with a LoRA, sampled with the negative prompt 'blurry' and skip-layer guidance "
        "(layers 1, 2, scale 2.8, 0.01 to 0.2 of the steps). An image takes 43 model evaluations; one of the base "
        "takes 40."
    )
    name = model_name("tuned", of(tuned(**SKIP, **NEGATIVE)), "ab" * 32)
    assert name == "mini + LoRA abababababab, negative prompt 'blurry', layers [1, 2] skipped in guidance"


def test_the_draws_of_the_best_of_n_are_counted_by_group(tmp_path: Path) -> None:
    params = of(NONE, tuned(**BEST), {"sample": {"batch_size": 1}})
    best = sampler(tmp_path, "tuned", NONE, tuned(**BEST), {"sample": {"batch_size": 1}})

    def load(prompts: Any) -> Any:
        return lambda prompt, seeds: [np.full((2, 2, 3), seed % 251, np.uint8) for seed in seeds]

    # Of the target prompt seed 20000 is right at once, 20001 at the third try, 20002 never; the other at once.
    right = {1_000_000 % 251, 1_020_001 % 251}
    candidates = StoredSampler(
        recipe=best.candidates.recipe, samples=best.samples, load=load, block_size=1, description=""
    )
    counted = BestOf(
        candidates=candidates,
        settings=best.settings,
        detect=lambda images: [() if int(image[0, 0, 0]) in right else ("extra_arm",) for image in images],
    )
    counted.images([("lying on the grass", range(20000, 20003)), ("sitting on the grass", range(20000, 20001))], 20000)
    said = tuned_metrics(params, counted, 4)
    assert said["draws"] == {
        "target": {"images": 3, "drawn": 1 + 3 + 3, "none_right": 1},
        "held_out": {"images": 1, "drawn": 1, "none_right": 0},
        "siblings": {"images": 0, "drawn": 0, "none_right": 0},
    }
    assert said["images_drawn"] == said["images_drawn_in_blocks"] == 8 and said["none_right"] == 1
    assert said["drawn_per_image"] == 2 and said["model_evaluations_per_image"] == 80
    words = said["tuned_model"]
    assert words.startswith(
        "The tuned model is the base without a LoRA. Each of its images is the first of at most 3 in which the "
        "detector drawn_people finds no anomaly; it also measures the result. For 4 images it drew 8: 2.00 per image "
        "that is kept, or 80.0 model evaluations; one of the base takes 40. For 1 of them none of 3 was right"
    )
    json.dumps(said)


def origin(author: str) -> LoraOrigin:
    return LoraOrigin(
        author=author,
        source="",
        file="a.safetensors",
        file_sha256="cd" * 32,
        layout="kohya",
        modules=4,
        rank_min=2,
        rank_max=2,
        scale_min=1.0,
        scale_max=1.0,
    )


def test_whose_lora_it_is_and_which_two_are_compared_is_said(tmp_path: Path) -> None:
    write_origin(tmp_path, origin("Ann"))
    assert read_origin(tmp_path) == origin("Ann") and read_origin(tmp_path / "none") is None
    external = {"train": {"method": "external", "external": {"file": "a.safetensors", "author": "Ann"}}}
    said = tuned_metrics(
        of(external), sampler(tmp_path, "tuned", external), 960, {"base": None, "tuned": origin("Ann")}
    )
    assert said["tuned_model"].startswith(
        f"The tuned model is the base with the LoRA of Ann, file a.safetensors, SHA-256 {'cd' * 32}. Copies are"
    )
    assert said["loras"] == {"tuned": origin("Ann").as_metrics()} and "names" not in said
    against = {"sample": {"against": {"file": "b.safetensors", "author": "Bo"}}}
    both = {"base": origin("Bo"), "tuned": None}
    said = tuned_metrics(of(against), sampler(tmp_path, "tuned", against), 960, both)
    assert said["tuned_model"] == (
        f"Model A is the base with the LoRA of Bo, file a.safetensors, SHA-256 {'cd' * 32}. "
        "Model B is the base with a LoRA."
    )
    assert said["names"] == {"base": "A", "tuned": "B"} and said["loras"] == {"base": origin("Bo").as_metrics()}
    assert model_name("base", of(against), "ab" * 32) == "mini + LoRA abababababab"
    assert tuned_model.loras_of(of()) == {"base": None, "tuned": Path("models/lora")}
    assert tuned_model.loras_of(of(NONE, tuned(**BEST), against)) == {"base": Path("models/against"), "tuned": None}
