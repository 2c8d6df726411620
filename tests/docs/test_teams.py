"""docs/teams.md, block by block, in a small repository whose stages cost nothing and are connected as the project's."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest
import yaml

from tests.clones import environment, run, stages_run
from tests.conftest import ROOT
from tests.docs.blocks import TEAMS, blocks
from tests.long_runs import on_request
from tests.s3 import KEYS, s3_server

pytestmark = [pytest.mark.slow, on_request]

TRAIN = """
import json, os, pathlib, time
train = json.load(open("resolved/params.json"))["train"]
gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
pathlib.Path("weights.bin").write_text(json.dumps(train | {"gpu": gpu}))
# If a gate is named, training waits until it opens.
gate = pathlib.Path(os.environ.get("GATE") or os.devnull)
while not gate.exists():
    time.sleep(0.05)
"""
RESOLVE = 'import json, yaml; print(json.dumps(yaml.safe_load(open("params.yaml"))))'
STAGES: dict[str, Any] = {
    "resolve": {
        "cmd": f"mkdir -p resolved && python -c '{RESOLVE}' > resolved/params.json",
        "params": ["train"],
        "outs": [{"resolved/params.json": {"cache": False}}],
    },
    "train": {
        "cmd": "python train.py",
        "deps": ["train.py"],
        "params": [{"resolved/params.json": ["train"]}],
        "outs": ["weights.bin"],
    },
    "measure": {
        # Not the bytes of the weights: DVC would find the metric under the hash of the weights.
        "cmd": "(cat weights.bin; echo) > metrics/metric.json",
        "deps": ["weights.bin"],
        "metrics": [{"metrics/metric.json": {"cache": False}}],
    },
    "report": {
        "cmd": "cp metrics/metric.json report/report.md",
        "deps": ["metrics/metric.json"],
        "outs": [{"report/report.md": {"cache": False}}],
    },
}
PARAMS = "train:\n  rank: 4\n\n\n\n  learning_rate: 0.001\n\n\n\n  launcher: []\n"

REMAINING = [block for block in blocks() if block.page == TEAMS and block.runnable()]
"""Blocks that no test has run yet, in the order of the page."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("dvc_s3", reason="the S3 remote needs `make setup EXTRAS=s3`")
    with s3_server() as url:
        yield url


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a run, and an origin to push to."""
    folder = tmp_path_factory.mktemp("teams") / "mine"
    for name in ("metrics", "report"):
        (folder / name).mkdir(parents=True)
    artifacts = {"lora": {"path": "weights.bin", "type": "model"}}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES, "artifacts": artifacts}))
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "train.py").write_text(TRAIN)
    run(folder, "git", "init", "-q", "-b", "main")
    identify(folder)
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "repro", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "trained")
    run(folder, "git", "clone", "-q", "--bare", ".", str(folder.parent / "origin.git"))
    run(folder, "git", "remote", "add", "origin", str(folder.parent / "origin.git"))
    run(folder, "git", "fetch", "-q", "origin")
    run(folder, "git", "branch", "-q", "-u", "origin/main")
    return folder


def identify(folder: Path) -> None:
    run(folder, "git", "config", "user.email", "tests@localhost")
    run(folder, "git", "config", "user.name", "tests")


def do(folder: Path, beginning: str, *, env: dict[str, str] | None = None, **placeholders: str) -> str:
    """Run the next block, which must begin with these words, with its placeholders filled in; returns its output."""
    block = REMAINING.pop(0)
    text = "\n".join(block.runnable())
    assert text.startswith(beginning), f"the page has another block here: {text}"
    for name, value in placeholders.items():
        assert name in text
        text = text.replace(name, value)
    command = ["bash", "-euo", "pipefail", "-c", text]
    variables = environment() | KEYS | (env or {})
    # Into a file, because a worker that goes on running would hold a pipe open.
    with TemporaryFile("w+") as output:
        done = subprocess.run(
            command, cwd=folder, env=variables, stdout=output, stderr=output, check=False, timeout=300
        )
        output.seek(0)
        printed = output.read()
    assert done.returncode == 0, f"{text}\n{printed}"
    return printed


def trained(folder: Path) -> dict[str, Any]:
    weights: dict[str, Any] = json.loads((folder / "weights.bin").read_text())
    return weights


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "params.yaml"
    path.write_text(path.read_text().replace(old, new))


def wait_for(folder: Path, ready: Callable[[str], bool]) -> str:
    """Poll `dvc queue status` until `ready` accepts it; returns its text."""
    deadline, status = time.monotonic() + 600, ""
    while not ready(status):
        assert time.monotonic() < deadline, status
        status = run(folder, "dvc", "queue", "status").stdout
    return status


def test_one_remote_for_all(mine: Path, server: str) -> None:
    places = {"/mnt/shared/anomend": str(mine.parent / "shared")}
    do(mine, "dvc remote add", **places)
    run(mine, "dvc", "push", "-q", "--run-cache")
    assert any((mine.parent / "shared" / "files").rglob("*"))
    do(mine, "dvc remote add", **{"s3://bucket/": "s3://anomend/", "https://s3.example.org": server})
    theirs = mine.parent / "theirs"
    run(mine, "git", "clone", "-q", str(mine.parent / "origin.git"), str(theirs))
    do(mine, "dvc push --run-cache")
    kept = [path.read_text(errors="replace") for path in (mine / ".dvc").glob("config*")]
    assert not any(secret in text for text in kept for secret in KEYS.values())

    output = do(theirs, "git pull")
    assert "Data and pipelines are up to date." in output and trained(theirs) == trained(mine)
    assert stages_run(run(theirs, "dvc", "repro").stdout) == set()
    # As on another branch: without that run's dvc.lock and without its outputs.
    (theirs / "dvc.lock").unlink()
    (theirs / "weights.bin").unlink()
    shutil.rmtree(theirs / ".dvc" / "cache" / "files")
    # DVC keeps only the weights; what git keeps is made again.
    assert stages_run(do(theirs, "dvc repro --pull")) == {"resolve", "measure", "report"}
    assert trained(theirs) == trained(mine)


def test_a_release_is_registered_and_fetched(mine: Path, tmp_path: Path) -> None:
    do(mine, "gto register lora")
    do(tmp_path, "dvc artifacts get", **{"https://example.org/team/anomend.git": str(mine.parent / "origin.git")})
    assert json.loads((tmp_path / "lora").read_text()) == trained(mine)


def test_own_pictures_are_shared(mine: Path) -> None:
    own = mine / "data" / "own"
    (own / "pictures").mkdir(parents=True)
    shutil.copy(ROOT / "data" / "own" / ".gitignore", own)
    (own / "pictures" / "a.png").write_bytes(b"a picture")
    run(mine, "git", "add", "-A")
    run(mine, "git", "commit", "-qm", "as in the project")
    do(mine, "dvc add data/own/pictures")
    assert "a.png" not in run(mine, "git", "ls-files").stdout and not run(mine, "git", "status", "--short").stdout
    other = mine.parent / "other"
    run(mine, "git", "clone", "-q", ".", str(other))
    keys = [f"{name}={value}" for name, value in KEYS.items()]
    run(other, "env", *keys, "dvc", "pull", "-q", "data/own/pictures.dvc")
    assert (other / "data/own/pictures/a.png").read_bytes() == b"a picture"


def test_two_branches_that_both_ran(mine: Path) -> None:
    run(mine, "git", "checkout", "-q", "-b", "wider")
    change(mine, "rank: 4", "rank: 8")
    run(mine, "dvc", "repro", "-q")
    run(mine, "git", "commit", "-qam", "wider")
    run(mine, "git", "checkout", "-q", "main")
    change(mine, "learning_rate: 0.001", "learning_rate: 0.002")
    run(mine, "dvc", "repro", "-q")
    run(mine, "git", "commit", "-qam", "faster")
    do(mine, "git merge wider")
    assert "Merge: " in run(mine, "git", "log", "-1").stdout and not run(mine, "git", "status", "--porcelain").stdout
    assert yaml.safe_load(run(mine, "dvc", "status", "--json").stdout) == {}
    weights = trained(mine)
    assert (weights["rank"], weights["learning_rate"]) == (8, 0.002)
    assert json.loads((mine / "report" / "report.md").read_text()) == weights


def test_a_sweep_on_one_gpu(mine: Path) -> None:
    do(mine, "dvc exp run --queue")
    wait_for(mine, lambda status: status.count("Success") == 2)
    names = run(mine, "dvc", "exp", "list", "--name-only").stdout.split()
    assert len(names) == 2
    do(mine, "dvc exp show", NAME=names[0])
    assert trained(mine)["rank"] == yaml.safe_load((mine / "params.yaml").read_text())["train"]["rank"]
    assert (trained(mine)["rank"], trained(mine)["learning_rate"]) in {(8, 0.0015), (16, 0.0015)}
    assert yaml.safe_load(run(mine, "dvc", "status", "--json").stdout) == {}


def gpus_of(folder: Path) -> set[str]:
    """The devices that the experiments of a queue saw."""
    devices = set()
    for name in run(folder, "dvc", "exp", "list", "--name-only").stdout.split():
        shown = run(folder, "git", "show", f"refs/exps/{ref_of(folder, name)}:metrics/metric.json").stdout
        devices.add(json.loads(shown)["gpu"])
    return devices


def ref_of(folder: Path, name: str) -> str:
    refs = run(folder, "git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
    return next(ref.removeprefix("refs/exps/") for ref in refs if ref.endswith(f"/{name}"))


@pytest.fixture
def queue(mine: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy whose workers end with the test."""
    folder = tmp_path / "copy"
    shutil.copytree(mine, folder, symlinks=True, ignore=shutil.ignore_patterns("tmp", "exps"))
    yield folder
    (tmp_path / "gate").touch()
    run(folder, "dvc", "queue", "stop", "--kill", check=False)


def test_several_gpus_with_one_experiment_on_each(queue: Path, tmp_path: Path) -> None:
    gate = {"GATE": str(tmp_path / "gate")}
    run(queue, "dvc", "exp", "run", "--queue", "-S", "train.rank=32,64")
    do(queue, "CUDA_VISIBLE_DEVICES=0", env=gate)
    wait_for(queue, lambda status: status.count("Running") == 1 and "1 active" in status)
    do(queue, "CUDA_VISIBLE_DEVICES=1", env=gate)
    wait_for(queue, lambda status: status.count("Running") == 2 and "2 active" in status)
    (tmp_path / "gate").touch()
    wait_for(queue, lambda status: status.count("Success") == 2)
    assert gpus_of(queue) == {"0", "1"}


def test_one_experiment_on_several_gpus(queue: Path) -> None:
    do(queue, "dvc exp run --queue")
    wait_for(queue, lambda status: status.count("Success") == 1)
    assert gpus_of(queue) == {"0,1,2,3"}


def test_every_block_of_the_page_has_run() -> None:
    assert REMAINING == []
