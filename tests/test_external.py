"""A LoRA of another program through DVC: the original's images and verdict; two of them against each other.

Two minutes of CPU time, besides the clone that other tests share.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.project.files import sha256_of
from tests.clones import metrics, run, set_params, stages_run
from tests.importing.layout_files import write_layouts

pytestmark = pytest.mark.slow

RANK, ALPHA = 4, 16.0
"""Of the shrunk run: `SHRUNK`, and the default of `train.alpha`."""
NOT_AGAIN = {"collect", "curate", "sample_base", "measure@base"}
FIRST = "kohya"
LAYOUTS = [
    *("diffusers", "ai-toolkit", "SimpleTuner", "SimpleTuner comfyui", "OneTrainer diffusers", "OneTrainer legacy"),
    *("OneTrainer original", "ComfyUI", "ComfyUI down up", "LyCORIS", "PEFT"),
]
"""The others."""
LORA = f"models/lora/{WEIGHT_NAME}"
WHOSE = "The tuned model is the base with the LoRA of Ann"


@dataclass(frozen=True, kw_only=True)
class Original:
    """What the run's own LoRA came to, before another took its place."""

    metrics: dict[str, Any]
    images: np.ndarray[Any, Any]
    files: dict[str, str]
    """The same LoRA as a file of each program, in the project."""


@pytest.fixture(scope="module")
def project(reproduced_copy: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reproduced project, with its own LoRA as files of other programs; the tests below go on from one another."""
    folder = reproduced_copy(tmp_path_factory.mktemp("external") / "project")
    weights = load_file(folder / "models/lora/pytorch_lora_weights.safetensors")
    names = sorted({key.removeprefix("transformer.").rpartition(".lora_")[0] for key in weights})
    keys = {name: [f"transformer.{name}.lora_{part}.weight" for part in "AB"] for name in names}
    (folder / "loras").mkdir()
    lora = {name: (weights[down], weights[up]) for name, (down, up) in keys.items()}
    files = write_layouts(lora, rank=RANK, alpha=ALPHA, folder=folder / "loras")
    assert files.keys() == {FIRST, *LAYOUTS}
    return folder


@pytest.fixture(scope="module")
def original(project: Path) -> Original:
    """Every test that changes the project asks for it."""
    files = {layout: f"loras/{layout.replace(' ', '_')}.safetensors" for layout in LAYOUTS} | {"PEFT": "loras/peft"}
    return Original(metrics=metrics(project), images=images(project, "tuned"), files=files)


def without_whose(verdict: dict[str, Any]) -> dict[str, Any]:
    """A verdict without the sentence that says whose LoRA it is, and its SHA-256."""
    return {**verdict, "reasons": [reason for reason in verdict["reasons"] if not reason.startswith(WHOSE)]}


def images(folder: Path, model: str) -> np.ndarray[Any, Any]:
    return np.stack([load_image(path) for path in read_imagefolder(folder / "data/samples" / model)["path"]]).astype(
        int
    )


def test_it_draws_the_originals_images_and_reaches_the_originals_verdict(project: Path, original: Original) -> None:
    before, own = original.metrics, original.images
    named = {"file": "loras/kohya.safetensors", "author": "Ann", "source": "https://example.org/ann"}
    set_params(project, {"train": {"method": "external"}, "train.external": named})
    ran = stages_run(run(project, "dvc", "repro").stdout)
    assert {"train", "sample_tuned", "compare", "verdict", "report"} <= ran
    assert not ran & NOT_AGAIN, ran & NOT_AGAIN
    found, sha256 = metrics(project), sha256_of(project / "loras/kohya.safetensors")
    assert np.array_equal(images(project, "tuned"), own)
    # Alpha / rank is 4 here: the scaled matrices are exact, and so is everything that is measured.
    assert without_whose(found["verdict"]) == without_whose(before["verdict"])
    assert found["compare"]["anomaly_rate_target"] == before["compare"]["anomaly_rate_target"]
    train = found["train"]
    assert (train["author"], train["file_sha256"], train["layout"]) == ("Ann", sha256, "kohya")
    assert train["steps"] is None and train["lora_sha256"] != before["train"]["lora_sha256"]
    assert found["sample_tuned"]["loras"]["tuned"]["source"] == "https://example.org/ann"
    whose = f"the LoRA of Ann (https://example.org/ann), file kohya.safetensors, SHA-256 {sha256}"
    sentence = f"The tuned model is the base with {whose}."
    assert found["verdict"]["reasons"][0].startswith(sentence)
    report = (project / "report/report.md").read_text()
    assert f"Nothing was trained here: Ann made the LoRA, SHA-256 {sha256}" in report and sentence[:40] in report
    refused = run(project, "python", "-m", "commands.export_lora", "--card", "card.md", check=False)
    assert refused.returncode == 1 and "would publish it as this run's" in refused.stderr


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_other_layout_becomes_the_same_file(project: Path, original: Original, layout: str) -> None:
    """The file that is sampled from, byte for byte: images and verdict depend on nothing else of a layout."""
    before = sha256_of(project / LORA)
    named = original.files[layout]
    set_params(project, {"train.external": {"file": named}})
    for stage in ("resolve", "train"):
        run(project, "python", "-m", f"stages.{stage}")
    weights = project / named / "adapter_model.safetensors" if layout == "PEFT" else project / named
    train = json.loads((project / "metrics/train.json").read_text())
    assert (train["file"], train["file_sha256"]) == (Path(named).name, sha256_of(weights))
    assert sha256_of(project / LORA) == before


@pytest.mark.parametrize("layout", ["SimpleTuner comfyui", "PEFT"])
def test_it_is_the_originals_verdict_by_layouts_of_other_kinds_too(
    project: Path, original: Original, layout: str
) -> None:
    set_params(project, {"train.external": {"file": original.files[layout]}})
    ran = stages_run(run(project, "dvc", "repro", "verdict").stdout)
    assert {"train", "sample_tuned", "verdict"} <= ran and not ran & NOT_AGAIN
    assert np.array_equal(images(project, "tuned"), original.images)
    assert without_whose(metrics(project)["verdict"]) == without_whose(original.metrics["verdict"])


def test_two_of_them_are_held_against_each_other_by_their_names(project: Path) -> None:
    b = images(project, "tuned")
    named = {"file": "loras/ComfyUI.safetensors", "author": "Bo", "source": None}
    set_params(project, {"sample.against": named})
    ran = stages_run(run(project, "dvc", "repro").stdout)
    assert {"against", "sample_base", "measure@base", "compare", "verdict"} <= ran and "train" not in ran
    found = metrics(project)
    # One LoRA as two files: model A draws what model B draws.
    assert np.abs(images(project, "base") - b).max() <= 1
    assert found["compare"]["anomaly_rate_target"]["delta"] == 0
    sampled = found["sample_tuned"]
    assert sampled["names"] == {"base": "A", "tuned": "B"}
    assert {model: each["author"] for model, each in sampled["loras"].items()} == {"base": "Bo", "tuned": "Ann"}
    assert json.loads((project / "metrics/against.json").read_text())["author"] == "Bo"
    first, *reasons = found["verdict"]["reasons"]
    assert first.startswith("Model A is the base with the LoRA of Bo, file ComfyUI.safetensors, SHA-256 ")
    assert "Model B is the base with the LoRA of Ann" in first
    said = " ".join(reasons)
    assert "odel B's" in said and "tuned model" not in said and "base model" not in said
    report = (project / "report/report.md").read_text()
    assert "Wrong with A (model A)" in report and "| Prompt | Group | A | B |" in report
    assert "the tuned model" not in report and "wrong before" not in report
    html = (project / "report/report.html").read_text()
    assert "Model B against model A. Profile" in html and '"models":["A","B"]' in html


def test_other_contents_make_it_stale_and_a_pickle_is_refused_before_anything_runs(project: Path) -> None:
    file = project / f"loras/{FIRST}.safetensors"
    named = {"file": f"loras/{FIRST}.safetensors"}
    set_params(project, {"sample.against": {"file": None, "author": None}, "train.external": named})
    run(project, "dvc", "repro", "train")
    file.write_bytes((project / "loras/ai-toolkit.safetensors").read_bytes())
    ran = stages_run(run(project, "dvc", "repro", "train", "sample_base").stdout)
    # Stage `against` without a second LoRA comes from the run cache.
    assert {"resolve", "train", "sample_base"} <= ran and "collect" not in ran
    assert metrics(project)["train"]["layout"] == "diffusers"
    (project / "loras/old.pt").write_bytes(b"PK")
    set_params(project, {"train.external": {"file": "loras/old.pt"}})
    refused = run(project, "dvc", "repro", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode and "train.external.file = 'loras/old.pt' is a pickle, which can run any code" in said
