"""Sampled images are made once, whichever way a run comes to them: through DVC itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clones import SHRUNK, metrics, run, run_queue, set_params, stages_run

pytestmark = pytest.mark.slow

NEW, SIBLING = "sitting on the street", "lying on the snow"
EVALUATED = 700000
"""`train.monitor.first_seed`."""
SETS = ("data/samples/base", "data/samples/tuned", "data/class_images")


@pytest.fixture(scope="module")
def project(reproduced_copy: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has been reproduced and committed; the tests below go on from one another."""
    folder = reproduced_copy(tmp_path_factory.mktemp("samples") / "a project")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "results")
    return folder


def made(folder: Path) -> list[dict[str, Any]]:
    """The store's log: one line per block that was sampled."""
    log = folder / ".samples" / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def hashes(folder: Path) -> dict[str, str]:
    """Set and file name -> SHA-256, as the metadata of each set lists them."""
    rows = [
        (name, json.loads(line))
        for name in SETS
        for line in (folder / name / "metadata.jsonl").read_text().splitlines()
    ]
    return {f"{name}/{row['file_name']}": row["sha256"] for name, row in rows}


def test_each_image_was_made_once(project: Path) -> None:
    blocks = made(project)
    assert not any(block["made_again"] for block in blocks)
    keys = [(block["recipe"], block["prompt"], block["first_seed"]) for block in blocks]
    assert len(set(keys)) == len(keys)
    # Class images and the base's samples are of one recipe, the tuned model's of another; each evaluation while
    # training, of which there are two, has weights of its own.
    assert len({block["recipe"] for block in blocks if block["first_seed"] < EVALUATED}) == 2
    assert len({block["recipe"] for block in blocks if block["first_seed"] >= EVALUATED}) == 2


def test_a_second_training_seed_samples_no_base_image(project: Path) -> None:
    base = json.loads((project / "data/samples/base/metadata.jsonl").read_text().splitlines()[0])["recipe"][:12]
    before = len(made(project))
    run(project, "dvc", "exp", "run", "--queue", "-S", "train.seed=7", "sample_tuned", "sample_base")
    run_queue(project)
    blocks = made(project)[before:]
    assert blocks and all(block["recipe"] != base for block in blocks)


def test_a_worktree_uses_the_same_store(project: Path, tmp_path: Path) -> None:
    before = made(project)
    run(project, "git", "worktree", "add", "-q", str(tmp_path / "worktree"), "HEAD")
    # The worktree has neither the samples nor DVC's cache. It trains with the seed of the queued experiment, and so
    # comes to the same weights, of which every image is in the store too.
    set_params(tmp_path / "worktree", {"train": {"seed": 7}})
    ran = run(tmp_path / "worktree", "dvc", "repro", "sample_base", "sample_tuned")
    assert {"class_images", "train", "sample_base", "sample_tuned"} <= stages_run(ran.stdout)
    assert made(project) == before and not (tmp_path / "worktree" / ".samples").exists()


def test_one_more_prompt_samples_its_images_alone(project: Path) -> None:
    before, sets = len(made(project)), hashes(project)
    held_out = [*SHRUNK["prompts"]["held_out"], NEW]
    # A colleague who pulled the samples has no store.
    shutil.rmtree(project / ".samples")
    set_params(project, {"prompts": {"held_out": held_out}})
    run(project, "dvc", "repro", "sample_base", "sample_tuned")
    assert before and {block["prompt"] for block in made(project)} == {NEW}
    after = hashes(project)
    assert sets.items() <= after.items() and len(after) == len(sets) + 12


def test_siblings_are_sampled_alone_and_change_no_clause(project: Path) -> None:
    run(project, "dvc", "repro", "verdict")
    before, plain = len(made(project)), metrics(project)
    set_params(project, {"prompts": {"siblings": [SIBLING]}})
    run(project, "dvc", "repro", "report")
    blocks, found = made(project)[before:], metrics(project)
    # Six seeds in blocks of three, by either model.
    assert [block["prompt"] for block in blocks] == [SIBLING] * 4 and len({block["recipe"] for block in blocks}) == 2
    assert found["train"]["lora_sha256"] == plain["train"]["lora_sha256"]
    assert found["verdict"]["clauses"] == plain["verdict"]["clauses"] and "siblings" not in plain["verdict"]
    siblings, rate = found["verdict"]["siblings"], found["compare"]["anomaly_rate_siblings"]
    assert (siblings["prompts"], siblings["pairs"], siblings["base"]) == (1, 6, rate["base"])
    assert rate["base"] == found["measure_base"]["anomaly_rate_siblings"] and rate["p"] is None
    for name, effect in plain["compare"].items():
        if name != "provenance":
            assert found["compare"][name] == effect, name
    assert SIBLING in (project / "data/label_design.csv").read_text()
    report = (project / "report/report.md").read_text()
    assert "sibling of the target prompts" in report and f"| {SIBLING} | siblings |" in report
    set_params(project, {"prompts": {"siblings": []}})
    run(project, "dvc", "repro", "sample_base", "sample_tuned")


def test_two_processes_make_the_same_bytes_as_one(project: Path) -> None:
    before = hashes(project)
    shutil.rmtree(project / ".samples")
    for name in SETS:
        shutil.rmtree(project / name)
    launcher = ["accelerate", "launch", "--config_file", "configs/accelerate/two_cpus.yaml"]
    set_params(project, {"sample": {"launcher": launcher}})
    run(project, "dvc", "repro", "-f", "-s", "resolve")
    run(project, "dvc", "repro", "-f", "-s", "sample_base", "sample_tuned", "class_images")
    assert hashes(project) == before
    assert not any(block["made_again"] for block in made(project))


def test_cleaning_keeps_what_was_used_last(project: Path) -> None:
    done = run(project, "python", "-m", "commands.clean_samples", "--gigabytes", "0")
    assert "0 MB" in done.stdout and not list((project / ".samples").rglob("*.png"))
