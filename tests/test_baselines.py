"""Tuned models without training, through DVC: their images, what they cost, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomend.miniature.anatomy import check
from anomend.params.tuned import SEEDS_PER_TRY
from anomend.pictures.image_sets import load_image, read_imagefolder
from tests.clones import metrics, run, set_params, stages_run

pytestmark = pytest.mark.slow

ON: dict[str, dict[str, Any]] = {"train": {"method": "none"}, "sample.tuned.best_of": {"n": 3}}
OFF: dict[str, dict[str, Any]] = {"train": {"method": None}, "sample.tuned.best_of": {"n": None}}
TRIES = 1_000_000
"""`sample.tuned.best_of.first_seed`."""


def made(folder: Path) -> list[dict[str, Any]]:
    """The store's log: a line per block that was sampled."""
    return [json.loads(line) for line in (folder / ".samples" / "log.jsonl").read_text().splitlines()]


def candidates(folder: Path) -> dict[tuple[str, int], Path]:
    """The base's images at the seeds of the tries, by prompt and seed, as the store has them."""
    recipe = read_imagefolder(folder / "data/samples/base")["recipe"].iloc[0]
    images = (folder / ".samples" / recipe).glob("*/*.png")
    return {
        (path.parent.name.rpartition("-")[0].replace("_", " "), int(path.name.split("-")[0])): path
        for path in images
        if int(path.name.split("-")[0]) >= TRIES
    }


@pytest.fixture(scope="module")
def project(reproduced_copy: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has been reproduced and committed; the tests below go on from one another."""
    folder = reproduced_copy(tmp_path_factory.mktemp("baselines") / "project")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "results")
    return folder


def test_the_best_of_three_is_a_tuned_model_like_any_other(project: Path) -> None:
    before, results = made(project), metrics(project)
    set_params(project, ON)
    words = [line.split() for line in run(project, "python", "-m", "commands.plan").stdout.splitlines()]
    # Six images of two target and two held-out prompts, each drawn three times at most, in four steps with guidance.
    assert ["sample_tuned", "up", "to", "72", "4", "up", "to", "576"] in [line[:8] for line in words]
    ran = stages_run(run(project, "dvc", "repro").stdout)
    assert {"train", "sample_tuned", "measure@tuned", "compare", "verdict", "report"} <= ran
    assert not {"collect", "curate", "class_images", "sample_base", "measure@base"} & ran
    found = metrics(project)
    assert found["train"]["lora_sha256"] is None and "no LoRA was trained" in found["train"]["reason"]
    assert [path.name for path in (project / "models/lora").iterdir()] == ["README.md"]
    # Each image is the first of three right ones, or has the fewest anomalies, by a loop over the base's images.
    stored, drawn = candidates(project), 0
    for row in read_imagefolder(project / "data/samples/tuned").to_dict("records"):
        tries: list[int] = []
        for number in range(3):
            seed = TRIES + number * SEEDS_PER_TRY + row["seed"] - 20000
            tries.append(len(check(load_image(stored[row["prompt"], seed])).anomalies))
            if not tries[-1]:
                break
        kept = TRIES + tries.index(min(tries)) * SEEDS_PER_TRY + row["seed"] - 20000
        assert (row["drawn_seed"], row["drawn"], row["anomalies_seen"]) == (kept, len(tries), min(tries))
        assert row["path"].read_bytes() == stored[row["prompt"], kept].read_bytes()
        drawn += len(tries)
    sampled = found["sample_tuned"]
    assert sampled["images"] == 24 < sampled["images_drawn"] == drawn <= 72
    assert sampled["model_evaluations_per_image"] == pytest.approx(drawn / 24 * 8, abs=1e-6)
    assert sampled["provenance"]["best_of"] == {"n": 3, "detector": "drawn_people", "first_seed": TRIES}
    # Nothing but tries was drawn, each block once.
    blocks = made(project)[len(before) :]
    assert all(block["first_seed"] >= TRIES and not block["made_again"] for block in blocks)
    assert sum(block["images"] for block in blocks) == sampled["images_drawn_in_blocks"] == len(stored)
    assert found["measure_base"] == results["measure_base"] and found["sample_base"] == results["sample_base"]
    model = "The tuned model is the base without a LoRA. Each of its images is the first of at most 3"
    assert found["verdict"]["reasons"][0].startswith(model)
    report = (project / "report/report.md").read_text()
    assert model in report[: report.index("## What was required")] and "Nothing was trained" in report
    assert f"| Images that the tuned model drew | {drawn} |" in report
    assert model in run(project, "python", "-m", "commands.summary").stdout


def test_there_is_nothing_to_export_or_to_confirm(project: Path) -> None:
    for words in (["--out", "lora.safetensors"], ["--card", "card.md"], ["--hub-folder", "hub"]):
        refused = run(project, "python", "-m", "commands.export_lora", *words, check=False)
        assert refused.returncode == 1 and "train.method = 'none' trained no LoRA" in refused.stderr
    run(project, "git", "add", "-A")
    run(project, "git", "commit", "-qm", "best of three")
    refused = run(project, "python", "-m", "commands.confirm", check=False)
    assert refused.returncode and "train.method = 'none' trains no LoRA, and a confirmation is of one" in refused.stderr


def test_two_processes_make_again_what_is_missing_and_the_same_bytes(project: Path) -> None:
    metadata, before = (project / "data/samples/tuned/metadata.jsonl").read_bytes(), made(project)
    sampled = metrics(project)["sample_tuned"]
    for path in candidates(project).values():
        path.unlink()
    shutil.rmtree(project / "data/samples/tuned")
    launcher = ["accelerate", "launch", "--config_file", "configs/accelerate/two_cpus.yaml"]
    set_params(project, {"sample": {"launcher": launcher}})
    run(project, "dvc", "repro", "-f", "-s", "resolve")
    run(project, "dvc", "repro", "-f", "-s", "sample_tuned")
    assert (project / "data/samples/tuned/metadata.jsonl").read_bytes() == metadata
    assert metrics(project)["sample_tuned"] == sampled
    keys = [(block["prompt"], block["first_seed"]) for block in made(project)[len(before) :]]
    assert keys and len(keys) == len(set(keys))
    set_params(project, {"sample": {"launcher": None}})


def test_a_lora_with_a_negative_prompt_and_skipped_layers_samples_the_tuned_model_alone(project: Path) -> None:
    set_params(project, OFF)
    back = stages_run(run(project, "dvc", "repro", "sample_tuned").stdout)
    assert "sample_base" not in back and (project / "models/lora/pytorch_lora_weights.safetensors").exists()
    lora, before = metrics(project)["sample_tuned"], made(project)
    assert "tuned_model" not in lora
    skip = {"layers": [2], "start": 0.2, "stop": 0.8}
    set_params(
        project, {"sample.tuned": {"negative_prompt": "standing on the beach"}, "sample.tuned.skip_layers": skip}
    )
    ran = stages_run(run(project, "dvc", "repro", "sample_tuned").stdout)
    assert "sample_tuned" in ran and not {"train", "class_images", "sample_base"} & ran
    found = metrics(project)["sample_tuned"]
    assert found["tuned_model"].startswith("The tuned model is the base with a LoRA, sampled with the negative prompt")
    # Four steps of two passes, of which 1, 2 and 3 have a third.
    assert found["images_drawn"] == 24 and found["model_evaluations_per_image"] == 11
    recipes = {block["recipe"] for block in made(project)[len(before) :]}
    assert len(recipes) == 1 and recipes.isdisjoint(block["recipe"] for block in before)
    assert found["samples_sha256"] != lora["samples_sha256"]


def test_a_run_whose_tuned_model_is_the_base_is_refused_in_a_sentence(project: Path) -> None:
    set_params(project, {"train": {"method": "none"}, "sample.tuned": {"negative_prompt": None}})
    set_params(project, {"sample.tuned.skip_layers": {"layers": None}})
    refused = run(project, "dvc", "repro", check=False)
    assert refused.returncode and "the tuned model would be the base" in refused.stderr + refused.stdout
    set_params(project, {"sample.tuned.skip_layers": {"layers": [6], "start": 0.2, "stop": 0.8}})
    refused = run(project, "dvc", "repro", check=False)
    assert refused.returncode and "the base's transformer has the layers 0 to 5" in refused.stderr + refused.stdout
