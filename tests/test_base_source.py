"""The source `base` through DVC: right images alone, apart from all others, and back again without any work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomend.miniature.anatomy import check
from anomend.pictures.image_sets import load_image, read_imagefolder
from tests.clones import metrics, run, set_params, stages_run

pytestmark = pytest.mark.slow

ON: dict[str, dict[str, Any]] = {
    "collect": {"source": "base", "images": 5},
    "collect.base": {"max_tries": 32, "min_share": 0.3},
    "curate": {"min_kept": 1},
}
OFF: dict[str, dict[str, Any]] = {
    "collect": {"source": None, "images": 6},
    "collect.base": {"max_tries": None, "min_share": None},
    "curate": {"min_kept": None},
}
"""As the shrunk clone was."""


def made(folder: Path) -> list[dict[str, Any]]:
    """The store's log: a line per block that was sampled."""
    return [json.loads(line) for line in (folder / ".samples" / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def project(reproduced_copy: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has been reproduced; the tests below go on from one another."""
    return reproduced_copy(tmp_path_factory.mktemp("base_source") / "project")


def test_instance_images_of_the_base_are_right_and_nothing_is_made_twice(project: Path) -> None:
    before = made(project)
    set_params(project, ON)
    words = [line.split() for line in run(project, "python", "-m", "commands.plan").stdout.splitlines()]
    # Three images of two prompts in blocks of three, up to 32 times as many; four steps with guidance.
    assert ["collect", "6", "to", "192", "4", "48", "to", "1,536"] in [line[:8] for line in words]
    assert {"collect", "curate"} <= stages_run(run(project, "dvc", "repro", "encode").stdout)
    table = read_imagefolder(project / "data/instance")
    assert len(table) and set(table["source"]) == {"base"}
    assert not any(check(load_image(path)).anomalies for path in read_imagefolder(project / "data/collected")["path"])
    # Each is the store's image of its prompt and seed, and no other set has one of its seeds.
    sampled = [read_imagefolder(project / "data" / name) for name in ("samples/base", "class_images")]
    assert not set(table["seed"]) & {seed for other in sampled for seed in other["seed"]}
    assert set(table["recipe"]) == set(sampled[0]["recipe"])
    blocks = made(project)[len(before) :]
    assert blocks and all(block["first_seed"] >= 850000 for block in blocks)
    collected = metrics(project)["collect"]
    assert collected["provenance"]["base"] == "mini" and collected["sources"]["base"] == collected["images"]
    # Other steps are other images of the base: the plan says that they have to be collected again.
    set_params(project, {"sample": {"steps": 5}})
    lines = run(project, "python", "-m", "commands.plan").stdout.splitlines()
    assert any(line.split()[:1] == ["collect"] and "sample.steps: 4 -> 5" in line for line in lines)
    set_params(project, {"sample": {"steps": 4}})
    # Back, and forth again: everything is in DVC's run cache.
    images = [path.read_bytes() for path in table["path"]]
    set_params(project, OFF)
    back = run(project, "dvc", "repro", "encode").stdout
    assert not {"collect", "curate", "encode"} & stages_run(back)
    assert set(read_imagefolder(project / "data/collected")["source"]) == {"drawn_people"}
    assert len(made(project)) == len(before) + len(blocks)
    set_params(project, ON)
    assert not {"collect", "curate", "encode"} & stages_run(run(project, "dvc", "repro", "encode").stdout)
    assert [path.read_bytes() for path in read_imagefolder(project / "data/instance")["path"]] == images


def test_two_processes_make_again_what_is_missing_and_the_same_bytes(project: Path) -> None:
    """As after a kill: some blocks are in the store, and the outputs are not there."""
    metadata, before = (project / "data/collected/metadata.jsonl").read_bytes(), made(project)
    for image in (project / ".samples").glob("*/lying_on_the_street-*/85????-*.png"):
        image.unlink()
    shutil.rmtree(project / "data/collected")
    launcher = ["accelerate", "launch", "--config_file", "configs/accelerate/two_cpus.yaml"]
    set_params(project, {"sample": {"launcher": launcher}})
    run(project, "dvc", "repro", "-f", "-s", "resolve")
    run(project, "dvc", "repro", "-f", "-s", "collect")
    assert (project / "data/collected/metadata.jsonl").read_bytes() == metadata
    again = made(project)[len(before) :]
    assert {block["prompt"] for block in again} == {"lying on the street"}
    keys = [block["first_seed"] for block in again]
    assert len(keys) == len(set(keys)) and not any(block["made_again"] for block in again)
