"""Runs in a clone: what is timed starts from nothing, and what was made is kept. By DVC itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from studies.experiments.clone_runs import CloneRuns

# Writes which store it was given, and what an earlier call left there or among the checkpoints.
STAGE = """
import pathlib, sys, yaml
name = sys.argv[1]
params = yaml.safe_load(open("params.yaml"))
store = pathlib.Path(params["sample"]["store"])
left = sorted(path.name for folder in (store, pathlib.Path(".checkpoints")) for path in folder.glob("*"))
with open(sys.argv[2], "a") as log:
    print(name, params["train"]["seed"], store, *left, file=log)
for folder in (store, pathlib.Path(".checkpoints")):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"half_of_{name}").touch()
if name == "sample_tuned" and not pathlib.Path(sys.argv[2]).with_suffix(".go").exists():
    sys.exit("interrupted")
pathlib.Path(f"{name}.txt").write_text(str(params["train"]["seed"]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    stages, before = ["stages:"], "stage.py"
    for name in ("train", "sample_base", "sample_tuned"):
        command = f"{sys.executable} stage.py {name} {tmp_path / 'log.txt'}"
        stages += [f"  {name}:", f"    cmd: {command}", f"    deps: [{before}]"]
        stages += ["    params: [train.seed]", f"    outs: [{name}.txt]"]
        before = f"{name}.txt"
    (folder / "dvc.yaml").write_text("\n".join([*stages, ""]))
    (folder / "params.yaml").write_text("train:\n  seed: 0\nsample:\n  store:\n")
    (folder / "stage.py").write_text(STAGE)
    (folder / ".gitignore").write_text("/.checkpoints\n")
    for words in (
        ["git", "init", "--quiet"],
        [sys.executable, "-m", "dvc", "init", "--quiet"],
        ["git", "add", "."],
        ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "Project"],
    ):
        subprocess.run(words, cwd=folder, check=True)
    return folder


def test_an_interrupted_stage_starts_from_nothing_and_a_finished_one_keeps_its_seconds(project: Path) -> None:
    log, runs = project.parent / "log.txt", CloneRuns(project, project.parent / "scratch")
    stages, settings = ["train", "sample_base", "sample_tuned"], ["train.seed=7"]
    shared, own = project / ".samples", project.parent / "scratch" / "samples"
    runs.prepare()
    with pytest.raises(subprocess.CalledProcessError):
        runs.run(settings, stages)
    lines = [line.split() for line in log.read_text().splitlines()]
    assert [line[:3] for line in lines] == [
        ["train", "7", str(own)],
        ["sample_base", "7", str(shared)],
        ["sample_tuned", "7", str(own)],
    ]
    assert lines[0][3:] == []

    log.with_suffix(".go").touch()
    runs.prepare()
    seconds = runs.run(settings, stages)
    lines = [line.split() for line in log.read_text().splitlines()][3:]
    # The finished stages come from the cache; the other one finds neither its samples nor its checkpoints.
    assert lines == [["sample_tuned", "7", str(own)]]
    assert set(seconds) == set(stages) and all(value > 0 for value in seconds.values())
    assert runs.run(settings, stages) == seconds


def test_a_stage_that_the_project_ran_before_is_run_again_to_be_timed(project: Path) -> None:
    log, runs = project.parent / "log.txt", CloneRuns(project, project.parent / "scratch")
    runs.prepare()
    first = CloneRuns(project, project.parent / "earlier")
    first.prepare()
    first.run(["train.seed=7"], ["train"])
    assert runs.run(["train.seed=7"], ["train"]) == {}
    seconds = runs.run(["train.seed=7"], ["train"], timed=["train"])
    assert seconds["train"] > 0
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["train", "train"]
    assert runs.run(["train.seed=7"], ["train"], timed=["train"]) == seconds
    assert len(log.read_text().splitlines()) == 2
