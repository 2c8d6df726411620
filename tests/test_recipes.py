"""The recipes for rented GPUs: their shell commands, with `make` and `dvc` replaced, against a local git repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

MAKE = """#!/bin/sh
# Stands for a run: a sample, a checkpoint, and results.
[ "$1" = -C ] && exit 0
[ "$1" = setup ] && exit 0
mkdir -p .samples .checkpoints/train metrics report resolved
echo image > .samples/image; echo state > .checkpoints/train/state
for file in dvc.lock metrics/verdict.json report/report.md resolved/params.json; do echo new > $file; done
"""


def git(*words: str, cwd: Path) -> str:
    return subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A bare repository with a branch `my-run` that has a committed stand-in of DVC."""
    work, bare = tmp_path / "work", tmp_path / "remote.git"
    (work / ".venv/bin").mkdir(parents=True)
    (work / ".gitignore").write_text("/.samples\n/.checkpoints\n")
    (work / "dvc.lock").write_text("old\n")
    (work / ".venv/bin/dvc").write_text(f"#!/bin/sh\necho $* >> {tmp_path}/dvc.log\n")
    (work / ".venv/bin/dvc").chmod(0o755)
    git("init", "--quiet", "-b", "my-run", cwd=work)
    git("add", "--force", ".", cwd=work)
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "start", cwd=work)
    git("clone", "--quiet", "--bare", str(work), str(bare), cwd=tmp_path)
    return bare


def bash(script: str, cwd: Path, **environment: str) -> None:
    tools = cwd.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "make").write_text(MAKE)
    (tools / "make").chmod(0o755)
    home = cwd.parent / "home"
    home.mkdir(exist_ok=True)
    settings = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(home), **environment}
    done = subprocess.run(["bash", "-c", script], cwd=cwd, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def assert_handed_back(remote: Path) -> None:
    files = git("show", "--name-only", "--format=", "my-run", cwd=remote).split()
    assert sorted(files) == ["dvc.lock", "metrics/verdict.json", "report/report.md", "resolved/params.json"]
    log = (remote.parent / "dvc.log").read_text().splitlines()
    assert log == ["pull --run-cache --allow-missing dvc.yaml", "push --run-cache dvc.yaml"]


def test_skypilot_clones_keeps_its_work_in_the_bucket_and_pushes_the_results(remote: Path, tmp_path: Path) -> None:
    text = (ROOT / "configs/skypilot/repro.yaml").read_text().replace("/anomend", f"{tmp_path}/bucket")
    recipe = yaml.safe_load(text)
    bucket = tmp_path / "bucket"
    assert list(recipe["file_mounts"]) == [str(bucket)] and recipe["file_mounts"][str(bucket)]["mode"] == "MOUNT"
    machine = tmp_path / "machine"
    machine.mkdir()
    environment = {"REPOSITORY": str(remote), "BRANCH": "my-run", "GIT_TOKEN": "x"}
    assert {*recipe["envs"], *recipe["secrets"]} == {*environment, "HF_TOKEN"}
    # Twice: a job that is recovered on the same machine sets up again.
    for _ in range(2):
        bash(recipe["setup"], machine, **environment)
    bash(recipe["run"], machine, **environment)
    assert_handed_back(remote)
    assert (bucket / "samples/image").is_file() and (bucket / "checkpoints/state").is_file()


@pytest.mark.parametrize("shared", [False, True])
def test_slurm_keeps_its_work_and_pushes_the_results(remote: Path, tmp_path: Path, shared: bool) -> None:
    project, storage = tmp_path / "project", tmp_path / "storage"
    git("clone", "--quiet", str(remote), str(project), cwd=tmp_path)
    git("config", "user.name", "a", cwd=project)
    git("config", "user.email", "a@b", cwd=project)
    environment = {"SLURM_SUBMIT_DIR": str(project), "SLURM_JOB_ID": "7"}
    bash(
        (ROOT / "configs/slurm/repro.sbatch").read_text(),
        project,
        **environment,
        **({"SHARED": str(storage)} if shared else {}),
    )
    assert_handed_back(remote)
    assert (project / ".samples/image").is_file()
    assert (storage / "samples/image").is_file() == (storage / "checkpoints/state").is_file() == shared
    assert "job 7" in git("log", "-1", "--format=%s", "my-run", cwd=remote)
