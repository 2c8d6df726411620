"""The whole pipeline on clean clones, shrunk: contracts, cache behaviour, reproducibility, refusals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from diffusers import StableDiffusion3Pipeline
from PIL import Image

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

SHRUNK: dict[str, dict[str, Any]] = {
    "prompts": {"held_out": ["lying on the beach", "standing on the grass"]},
    "collect": {"images": 6},
    "class_images": {"prompts": ["a photo of a person sitting on the grass"], "per_prompt": 4},
    "train": {"steps": 6, "batch_size": 2, "class_batch_size": 2, "rank": 4, "learning_rate": 5e-3, "warmup_steps": 0},
    "sample": {"seeds_per_prompt": 6, "steps": 8},
    "measure": {"within_set_images": 6},
    "compare": {"resamples": 200},
    "judge": {"pairs_per_prompt": 5},
    "report": {"pairs_per_prompt": 2},
}
RANK_STAGES = {"resolve", "train", "sample_tuned", "measure@tuned", "compare", "judge", "verdict", "report"}


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def clone(folder: Path) -> Path:
    """The working tree's tracked and new files as a repository of their own, with shrunk parameters."""
    listed = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.split("\n")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "dvc.lock").unlink(missing_ok=True)
    set_params(folder, SHRUNK)
    run(folder, "git", "init", "-q")
    run(folder, "git", "config", "user.email", "tests@localhost")
    run(folder, "git", "config", "user.name", "tests")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "clone")
    return folder


def set_params(folder: Path, changes: dict[str, dict[str, Any]]) -> None:
    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    for section, values in changes.items():
        content[section] |= values
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def stages_run(output: str) -> set[str]:
    return {line.split("'")[1] for line in output.split("\n") if line.startswith("Running stage")}


def metrics(folder: Path) -> dict[str, Any]:
    names = ("collect", "curate", "train", "measure_base", "measure_tuned", "compare", "judge", "survey", "verdict")
    return {name: json.loads((folder / "metrics" / f"{name}.json").read_text()) for name in names}


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = clone(tmp_path_factory.mktemp("first"))
    run(folder, "dvc", "repro")
    return folder


def test_the_contracts_hold(reproduced: Path) -> None:
    found = metrics(reproduced)
    assert set(found["measure_base"]) == set(found["measure_tuned"])
    fields = {"base", "tuned", "delta", "ci_low", "ci_high", "p", "n", "clusters", "better"}
    for name in ("anomaly_rate_target", "anomaly_rate_held_out", "ssim_within", "psnr_within", "diversity"):
        assert fields <= set(found["compare"][name])
    assert found["verdict"]["verdict"] in {"corrected", "not_corrected", "inconclusive"}
    assert {"lora_sha256", "steps", "stopped_early", "train_seed"} <= set(found["train"])
    assert {"images", "spend_usd", "requests_paid", "requests_from_store"} <= set(found["collect"])
    judge_fields = "provider model pairs win_rate_tuned ci_low ci_high first_position_rate consistency unparsed"
    assert set(judge_fields.split()) <= set(found["judge"]["anatomy"])
    assert found["survey"]["n"] == 0 and found["survey"]["win_rate_tuned"] is None and found["survey"]["reason"]
    assert all("provenance" in content for content in found.values())


def test_the_report_is_there_and_calls_nobody(reproduced: Path) -> None:
    html = (reproduced / "report" / "report.html").read_text()
    assert len(html) < 5_000_000 and 'src="http' not in html
    assert (reproduced / "report" / "report.md").read_text().startswith("#")


def test_six_steps_of_training_are_no_correction(reproduced: Path) -> None:
    assert metrics(reproduced)["verdict"]["verdict"] != "corrected"


def test_nothing_runs_twice(reproduced: Path) -> None:
    assert stages_run(run(reproduced, "dvc", "repro").stdout) == set()


def test_the_saved_lora_gives_the_pipelines_own_images_in_plain_diffusers(reproduced: Path) -> None:
    pipeline = StableDiffusion3Pipeline.from_pretrained(
        ROOT / "models" / "mini", torch_dtype=torch.float32, text_encoder_3=None, tokenizer_3=None
    )
    pipeline.load_lora_weights(reproduced / "models" / "lora")
    image = pipeline(
        "lying on the street",
        height=64,
        width=64,
        num_inference_steps=SHRUNK["sample"]["steps"],
        guidance_scale=4.0,
        max_sequence_length=1,
        generator=torch.Generator().manual_seed(20002),
    ).images[0]
    saved = np.asarray(Image.open(reproduced / "data/samples/tuned/lying_on_the_street-20002.png"), dtype=float)
    # Batched and single matrix products round differently; more than one grey level would be another image.
    assert np.abs(np.asarray(image, dtype=float) - saved).max() <= 1


def test_another_clone_gives_the_same_lora_and_the_same_metrics(
    reproduced: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    second = clone(tmp_path_factory.mktemp("second"))
    run(second, "dvc", "repro")
    assert metrics(second) == metrics(reproduced)
    assert (second / "dvc.lock").read_text() == (reproduced / "dvc.lock").read_text()


def test_another_rank_reruns_training_and_what_follows_and_going_back_trains_nothing(reproduced: Path) -> None:
    set_params(reproduced, {"train": {"rank": 2}})
    assert stages_run(run(reproduced, "dvc", "repro").stdout) == RANK_STAGES
    set_params(reproduced, {"train": {"rank": 4}})
    # These two keep outputs in git, which DVC does not restore; they take a second each.
    assert stages_run(run(reproduced, "dvc", "repro").stdout) == {"resolve", "report"}


def test_a_wrong_value_is_refused_before_anything_runs(reproduced: Path) -> None:
    set_params(reproduced, {"train": {"learning_rate": -1.0}})
    try:
        refused = run(reproduced, "dvc", "repro", check=False)
    finally:
        set_params(reproduced, {"train": {"learning_rate": SHRUNK["train"]["learning_rate"]}})
    assert refused.returncode != 0
    assert "train.learning_rate = -1.0: input should be greater than 0" in refused.stderr + refused.stdout
    assert "Traceback" not in refused.stderr and stages_run(refused.stdout) == {"resolve"}
