"""Every real profile from the user's pictures to the report, through DVC, on a random base of tiny size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image
from safetensors import safe_open

from anomend.params.profiles import merge
from anomend.project.metric_files import read_metrics
from studies.rehearsal.random_base import SHRUNK, write_random_base
from tests.clones import clone, metrics, run, run_queue, stages_run
from tests.families.tiny_bases import write_tiny_base
from tests.parameters import params_of, user_params
from tests.params.test_profiles import leaves

pytestmark = pytest.mark.slow

PROMPTS = ["lying on the grass", "lying on the street"]
SMALL: dict[str, dict[str, Any]] = {
    # Where the user's base and pictures are. Fewer bits need a CUDA GPU.
    "base": {
        "local_folder": "base",
        "resolution": 64,
        "max_sequence_length": 16,
        "dtype": "float32",
        "quantise": "none",
        "t5_8bit": False,
    },
    "collect": {"source": "folder", "images": 5},
    # The weights are random: no picture of theirs passes a detector, and none of the networks is at hand.
    "curate": {"detector": "none"},
    "measure": {
        "detector": "none",
        "further_extractors": [],
        "perceptual": ["efficientnet_lite0"],
        "within_set_images": 4,
    },
    "class_images": {"detector": "none", "prompts": ["a photo of a person sitting on the grass"], "max_tries": 1},
    "prompts": {"target": PROMPTS, "held_out": ["standing on the grass", "sitting on the snow"]},
    # What needs a CUDA GPU.
    "encode": {"t5_8bit": False, "crops": 0},
    "train": {"steps": 3, "rank": 2, "warmup_steps": 0, "quantise_base": "none", "optimizer": "adamw", "batch_size": 2},
    "train.monitor": {"every": 0},
    "sample": {"steps": 2, "target_seeds_per_prompt": 2, "held_out_seeds_per_prompt": 2, "batch_size": 2},
    "compare": {"resamples": 200},
    "report": {"pairs_per_prompt": 1},
}
PER_PROFILE: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {},
    "sd3-medium": {"class_images": {"per_prompt": 2}},
    "sd35-medium": {"class_images": {"per_prompt": 2}},
    "sd35-large": {"class_images": {"per_prompt": 2}},
    "flux2-klein": {
        "base": {"local_folder": "klein", "max_sequence_length": 64},
        "class_images": {"per_prompt": 2},
        # The profile names projections of 20 blocks, of which the tiny base has two.
        "train": {"target_modules": ["to_q", "to_k", "to_qkv_mlp_proj"]},
    },
}


def settings(profile: str) -> list[str]:
    """The settings of `dvc exp run`, as a user would type them."""
    merged = {key: dict(values) for key, values in SMALL.items()}
    for section, values in PER_PROFILE[profile].items():
        merged[section] |= values
    pairs = [
        f"{section}.{key}={json.dumps(value)}" for section, values in merged.items() for key, value in values.items()
    ]
    return [word for pair in [f"profile={profile}", *pairs] for word in ("-S", pair)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with a random base and five photographs of a person, which DVC tracks (docs/teams.md)."""
    folder = clone(tmp_path_factory.mktemp("profiles") / "project", changes={})
    write_random_base(folder / "base", SHRUNK, seed=0)
    write_tiny_base(folder / "klein", "flux2-klein")
    astronaut = skimage.data.astronaut()
    for number in range(5):
        # Five different pictures: places, sizes and brightness differ, so that none counts as a copy.
        left, top, side = 30 * number, 12 * number, 330 - 20 * number
        part = astronaut[top : top + side, left : left + side].astype(float)
        path = folder / "data" / "own" / "pictures" / PROMPTS[number % 2].replace(" ", "_") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((part * (0.6 + 0.1 * number)).clip(0, 255).astype(np.uint8)).save(path)
    run(folder, "dvc", "add", "base", "klein", "data/own/pictures")
    run(folder, "dvc", "remote", "add", "-d", "shared", str(folder.parent / "remote"))
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "base and pictures")
    return folder


def check(folder: Path) -> None:
    """The results are those of a real profile on the five pictures."""
    found = metrics(folder)
    assert found["collect"]["sources"] == {"folder": 5} and found["train"]["provenance"]["n"] == 5
    assert found["sample_base"]["images"] == found["sample_tuned"]["images"] == 8
    assert found["sample_base"]["provenance"]["base"].startswith("sha256:")
    # Nobody has labelled yet.
    assert found["verdict"]["evidence"] == "people" and found["verdict"]["verdict"] == "inconclusive"
    report = (folder / "report" / "report.md").read_text()
    assert report.startswith("#") and "inconclusive" in report.lower()
    captions = {json.loads(line)["text"] for line in (folder / "data/instance/metadata.jsonl").read_text().splitlines()}
    assert captions == set(PROMPTS)


def check_the_papers_recipe(folder: Path) -> None:
    """Its quirks, one caption for all images, no prior preservation, and the modules that its script trains."""
    train = json.loads((folder / "resolved/params.json").read_text())["train"]
    assert all(train["quirks"].values()) and train["class_batch_size"] == 0
    with safe_open(folder / "data/encoded/instance.safetensors", framework="pt") as handle:
        assert json.loads(handle.metadata()["index"])["captions"] == ["lying on the grass/street"]
    found = metrics(folder)["train"]
    assert found["provenance"]["n_class"] == 0 and found["prior_loss_last_tenth"] is None
    assert not (folder / "data/encoded/class.safetensors").exists()
    with safe_open(folder / "models/lora/pytorch_lora_weights.safetensors", framework="pt") as handle:
        names = list(handle.keys())
        assert all(handle.get_tensor(name).shape[0] == train["rank"] for name in names if "lora_A" in name)
    assert {name.split(".attn.")[1].split(".lora")[0] for name in names} == {"to_k", "to_q", "to_v", "to_out.0"}


@pytest.mark.parametrize("profile", ["paper", "sd35-medium", "flux2-klein"])
def test_a_profile_runs_from_pictures_to_the_report(project: Path, profile: str) -> None:
    run(project, "dvc", "exp", "run", *settings(profile))
    check(project)
    if profile == "paper":
        check_the_papers_recipe(project)
    run(project, "git", "checkout", "-q", ".")


def parameters(profile: str) -> dict[str, Any]:
    """The parameters in force with these settings, by their dotted keys."""
    changes: dict[str, Any] = {"profile": profile}
    for chosen in (SMALL, PER_PROFILE[profile]):
        for section, values in chosen.items():
            nested: Any = values
            for key in reversed(section.split(".")):
                nested = {key: nested}
            changes = merge(changes, nested)
    return dict(leaves(params_of(merge(user_params(), changes)).model_dump()))


def test_another_size_of_a_base_trains_and_is_sampled_and_changes_little_else(project: Path) -> None:
    """sd35-large: what comes after the samples is that of sd35-medium, since so are the parameters."""
    medium, large = parameters("sd35-medium"), parameters("sd35-large")
    assert {key for key in medium if medium[key] != large[key]} == {
        "profile", "base.name", "sample.guidance_scale", "train.monitor.seeds_per_prompt",
    }  # fmt: skip
    assert large["train.monitor.every"] == 0
    run(project, "dvc", "exp", "run", *settings("sd35-large"), "sample_tuned")
    sampled, trained = (read_metrics(project / f"metrics/{name}.json") for name in ("sample_tuned", "train"))
    assert sampled["images"] == 8 and trained["provenance"]["n"] == 5
    assert sampled["provenance"]["base"].startswith("sha256:")
    run(project, "git", "checkout", "-q", ".")


def test_a_queued_profile_reaches_a_colleague(project: Path, tmp_path: Path) -> None:
    run(project, "dvc", "exp", "run", "--queue", "--name", "queued", *settings("sd3-medium"))
    run_queue(project)
    run(project, "dvc", "exp", "branch", "queued", "results")
    run(project, "git", "checkout", "-q", "-f", "results")
    run(project, "dvc", "checkout", "dvc.yaml")
    check(project)
    # The pre-training's data, which no clone has, are not asked for.
    tracked = ["dvc.yaml", "base.dvc", "data/own/pictures.dvc"]
    run(project, "dvc", "push", *tracked)
    run(tmp_path, "git", "clone", "-q", str(project), "colleague")
    run(tmp_path / "colleague", "dvc", "pull", *tracked)
    check(tmp_path / "colleague")
    done = run(tmp_path / "colleague", "dvc", "repro")
    assert stages_run(done.stdout) <= {"resolve"}, done.stdout
    assert len(list((tmp_path / "colleague" / "data" / "own").rglob("*.png"))) == 5
