"""The source `base`: which images of the base become instance images. The store holds them, so no model is loaded."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from anomend.collecting.collection import Collection, base_settings, collect, image_purchase, source_settings
from anomend.collecting.record import FILES_TABLE
from anomend.diffusion.recipes import sampling_recipe
from anomend.miniature.defects import plant
from anomend.miniature.drawn_people import pose, render, sample_individual, sample_scene
from anomend.params.params import Params
from anomend.params.profiles import merge
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.pictures.sample_store import LOG, SampleStore
from anomend.project.paths import PRICES, RETIRED_MODELS
from anomend.project.seeding import python_random
from tests.clones import environment
from tests.conftest import ROOT
from tests.parameters import params_of, user_params, write_params

GRASS, STREET = "lying on the grass", "lying on the street"
FIRST = 850000
CODE = "sampler"


def params(**collecting: Any) -> Params:
    """Three images of two prompts, two tries each, unless something else is said."""
    own = {"source": "base", "images": 3, "base": {"max_tries": 2}}
    changes = {"base": {"device": "cpu"}, "curate": {"min_kept": 1}, "collect": merge(own, collecting)}
    return params_of(merge(user_params(), changes))


def drawing(place: str, key: int, *, right: bool) -> NDArray[np.uint8]:
    """A person as the miniature world draws them, with a third leg unless it is right."""
    rng = python_random("base images", place, key)
    scene = sample_scene(rng, "lying", place, sample_individual(rng))
    body = pose(scene, rng)
    return render(scene, rng, body if right else plant(body, "extra_leg", rng))


def fill(folder: Path, values: Params, right: Mapping[str, str]) -> None:
    """Store images of seeds from `FIRST` on: a letter per image, r for right, w for wrong."""
    stored = SampleStore(folder).samples(sampling_recipe(values.base, values.sample, code=CODE))
    for prompt, letters in right.items():
        for key, letter in enumerate(letters):
            stored.add(prompt, FIRST + key, drawing(prompt.split()[-1], key, right=letter == "r"))


def collected(folder: Path, values: Params) -> Collection:
    purchase = image_purchase(
        values.collect, environment={}, project=folder, prices=ROOT / PRICES, retired_models=ROOT / RETIRED_MODELS
    )
    base = base_settings(values, store=folder / "store", code=CODE)
    settings = source_settings(values.collect, published=folder, tables=folder, purchase=purchase, base=base)
    try:
        return collect(values.prompts.target, values.collect, settings, folder=folder / "collected")
    finally:
        # Nothing was sampled: all images were in the store.
        assert not (folder / "store" / LOG).exists()


def test_the_first_right_images_are_collected_by_prompt_in_turn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = params()
    fill(tmp_path / "store", values, {GRASS: "wrrr", STREET: "rrww"})
    done = collected(tmp_path, values)
    table = read_imagefolder(tmp_path / "collected")
    found = list(zip(table["text"], table["seed"], strict=True))
    assert found == [(GRASS, FIRST + 1), (STREET, FIRST), (GRASS, FIRST + 2)]
    assert set(table["source"]) == {"base"} and set(table["model"]) == {"mini"}
    recipe = SampleStore(tmp_path / "store").recipes()[0].name
    assert set(table["recipe"]) == {recipe} and list(table["prompt"]) == list(table["text"])
    for path, prompt, seed in zip(table["path"], table["text"], table["seed"], strict=True):
        assert np.array_equal(load_image(path), drawing(prompt.split()[-1], seed - FIRST, right=True))
    # Seeds that nobody needed were not looked at; what was rejected is in the table, and not on the screen.
    assert done.metrics["left_out"] == {"anomalous": 1, "beyond": 1} and done.metrics["sources"] == {"base": 3}
    with (tmp_path / "collected" / FILES_TABLE).open(newline="", encoding="utf-8") as file:
        rows = {row["name"]: row["reason"] for row in csv.DictReader(file) if row["reason"]}
    assert rows["lying_on_the_grass-850000"] == "drawn_people finds an anomaly" and len(rows) == 2
    said = capsys.readouterr().err
    assert "skipped lying_on_the_street-850001: beyond the 3 images" in said and "grass-850000" not in said
    assert [row["name"] for row in done.skipped] == ["lying_on_the_street-850001"]


def test_a_prompt_that_is_mostly_wrong_is_named_with_the_fix_before_anything_is_bought(tmp_path: Path) -> None:
    values = params(source="openai", images=4, mix={"base": 4}, base={"min_share": 1.0})
    fill(tmp_path / "store", values, {GRASS: "rrrr", STREET: "wwrw"})
    with pytest.raises(ValueError) as refused:
        collected(tmp_path, values)
    said = str(refused.value)
    assert "only 1 of 4 images of 'lying on the street' passed, 2 wanted" in said and len(said.splitlines()) == 1
    for fix in ("collect.base.max_tries", "collect.base.min_share", "another source"):
        assert fix in said


def test_enough_images_of_a_prompt_that_is_short_are_taken(tmp_path: Path) -> None:
    values = params(images=4, base={"min_share": 0.5})
    fill(tmp_path / "store", values, {GRASS: "rrrr", STREET: "wwrw"})
    assert collected(tmp_path, values).metrics["prompts"] == {"lying_on_the_grass": 2, "lying_on_the_street": 1}
    table = read_imagefolder(tmp_path / "collected")
    assert list(table["seed"] - FIRST) == [0, 2, 1] and list(table["text"]) == [GRASS, STREET, GRASS]


def test_the_base_joins_other_sources(tmp_path: Path) -> None:
    values = params(source="drawn_people", images=2, mix={"base": 2})
    fill(tmp_path / "store", values, {GRASS: "wr", STREET: "rr"})
    assert collected(tmp_path, values).metrics["sources"] == {"base": 2, "drawn_people": 2}


def test_no_more_seeds_are_asked_for_than_are_kept_apart_from_others(tmp_path: Path) -> None:
    """Five images of two prompts are three of each, six tries: the range that `resolve` keeps apart."""
    values = params(images=5, base={"min_share": 1.0})
    fill(tmp_path / "store", values, {GRASS: "wwwwww", STREET: "wwwwww"})
    assert values.seed_ranges()["collect.base.first_seed"] == range(FIRST, FIRST + 6)
    with pytest.raises(ValueError, match="only 0 of 6 images of 'lying on the grass'"):
        collected(tmp_path, values)


@pytest.mark.parametrize(("source", "loads"), [("drawn_people", []), ("base", ["anomend.diffusion.rejection"])])
def test_other_sources_load_no_part_of_the_base(tmp_path: Path, source: str, loads: list[str]) -> None:
    write_params(tmp_path, params(source=source, images=1))
    program = (
        "import sys; from stages.collect import main; main(dry_run=True)\n"
        "from anomend.collecting.registry import find_source; from anomend.params.resolved import load_params\n"
        f"find_source({source!r})\n"
        "print([name for name in ('torch', 'diffusers', 'anomend.diffusion.rejection') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    own = environment() | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{source}: up to 1 images, free of charge", str(loads)]
