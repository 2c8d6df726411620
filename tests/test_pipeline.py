"""The whole pipeline on clean clones, shrunk: contracts, cache behaviour, reproducibility, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from PIL import Image

from tests.clones import SHRUNK, TRIED, clone, metrics, run, set_params, stages_run
from tests.conftest import ROOT
from tests.pipeline.code import change_a_constant, change_comments_and_docstrings

pytestmark = pytest.mark.slow

RANK_STAGES = {"resolve", "train", "looks", "sample_tuned", "measure@tuned", "compare"}
RANK_STAGES |= {"judge", "survey", "label", "people", "agreement", "verdict", "report"}


@pytest.fixture(scope="module")
def reproduced(reproduced_copy: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone reproduced with the network cut; attempts to reach it are listed in `TRIED`."""
    return reproduced_copy(tmp_path_factory.mktemp("first") / "clone")


def test_the_whole_run_reaches_no_other_machine(reproduced: Path) -> None:
    notes = reproduced.parent / TRIED
    assert not notes.exists(), notes.read_text()


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
    assert found["label"]["n"] == 0 and found["label"]["pictures"] > 0 and found["label"]["reason"]
    assert all("provenance" in content for content in found.values())


def test_the_report_is_there_and_loads_nothing_from_elsewhere(reproduced: Path) -> None:
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


def planned(folder: Path, **words: str) -> set[str]:
    """The stages that `make plan` lists."""
    options = [word for name, value in words.items() for word in (f"--{name}", value)]
    # The bill comes after the stages.
    stages = run(folder, "python", "-m", "commands.plan", *options).stdout.partition("What that takes:")[0]
    return {line.split()[0] for line in stages.splitlines() if line.startswith("  ")}


def test_another_rank_reruns_training_and_what_follows_and_going_back_trains_nothing(reproduced: Path) -> None:
    """And the plan names these stages before they run."""
    assert planned(reproduced) == set()
    words = run(reproduced, "python", "-m", "commands.plan", "--set", "train.rank=2 train.launcher=[nice]").stdout
    assert "train.rank: 4 -> 2" in words and "follows train" in words and "launcher" not in words
    assert planned(reproduced, set="train.rank=2 base.device=cpu") == RANK_STAGES - {"resolve"}
    set_params(reproduced, {"train": {"rank": 2}})
    assert stages_run(run(reproduced, "dvc", "repro").stdout) == RANK_STAGES
    set_params(reproduced, {"train": {"rank": 4}})
    made = (reproduced / ".samples" / "log.jsonl").read_text()
    # DVC restores no plain outputs that git keeps, which quick stages have, nor outputs that persist: the images of
    # `sample_tuned` come from the store.
    said = run(reproduced, "dvc", "repro").stdout
    quick = {"resolve", "looks", "compare", "people", "verdict", "report"}
    assert stages_run(said) == {"sample_tuned", *quick}
    assert all(f"Stage '{name}' is cached" in said for name in ("train", "measure@tuned", "judge", "label"))
    assert (reproduced / ".samples" / "log.jsonl").read_text() == made


def test_settings_that_change_no_result_run_nothing(reproduced: Path) -> None:
    settings = ["train.launcher=[nice]", "train.micro_batch_size=1", "train.compile=blocks", "sample.batch_size=2"]
    settings += ["base.device=cpu", "train.checkpoint_every=1", "judge.requests.attempts=2", "collect.max_usd=1"]
    done = run(reproduced, "dvc", "exp", "run", *(word for each in settings for word in ("-S", each)))
    assert stages_run(done.stdout) == {"resolve"}
    assert json.loads((reproduced / "resolved/run.json").read_text())["train"]["micro_batch_size"] == 1
    # One changed line per setting: DVC writes the file back as it was committed. A list's item is a line of its own.
    changed = run(reproduced, "git", "diff", "--numstat", "params.yaml").stdout.split()
    run(reproduced, "git", "checkout", "params.yaml")
    run(reproduced, "dvc", "repro", "resolve")
    assert changed[:2] == [str(len(settings)), str(len(settings) - 1)]


def test_code_makes_stages_stale_by_what_it_says(reproduced: Path) -> None:
    path = reproduced / "anomend" / "project" / "seeding.py"
    text = path.read_bytes()
    try:
        change_comments_and_docstrings(path)
        assert planned(reproduced) == set()
        assert "belong to this commit" in run(reproduced, "python", "-m", "commands.check_results").stdout
        assert stages_run(run(reproduced, "dvc", "repro").stdout) == {"resolve"}
        path.write_bytes(text)
        change_a_constant(path)
        stale = planned(reproduced)
        assert {"encode", "train", "sample_base", "sample_tuned"} <= stale
        checked = run(reproduced, "python", "-m", "commands.check_results", check=False)
        assert checked.returncode and "train: the code or a library changed" in checked.stderr
        run(reproduced, "dvc", "repro", "resolve")
        status = json.loads(run(reproduced, "dvc", "status", "--json", "dvc.yaml").stdout)
        of_code = {name for name, changes in status.items() if "resolved/code.json" in json.dumps(changes)}
        assert {"encode", "train", "sample_base", "sample_tuned"} <= of_code <= stale
    finally:
        path.write_bytes(text)
        run(reproduced, "dvc", "repro", "resolve")
    assert planned(reproduced) == set()


def test_a_wrong_value_is_refused_before_anything_runs(reproduced: Path) -> None:
    set_params(reproduced, {"train": {"learning_rate": -1.0}})
    try:
        refused = run(reproduced, "dvc", "repro", check=False)
    finally:
        set_params(reproduced, {"train": {"learning_rate": SHRUNK["train"]["learning_rate"]}})
    assert refused.returncode != 0
    assert "train.learning_rate = -1.0: input should be greater than 0" in refused.stderr + refused.stdout
    assert "Traceback" not in refused.stderr and stages_run(refused.stdout) == {"resolve"}
