"""What one person pushed, a colleague pulls; with the run cache, nothing that was run before is run again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.clones import run, stages_run
from tests.conftest import ROOT
from tests.long_runs import on_request
from tests.s3 import KEYS, s3_server

TRAIN = "import pathlib; pathlib.Path('weights.bin').write_text(pathlib.Path('steps.txt').read_text() * 9)"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A repository of two stages, the first of which stands for a training."""
    folder = tmp_path / "mine"
    (folder / "metrics").mkdir(parents=True)
    stages = {
        "train": {"cmd": f'python -c "{TRAIN}"', "deps": ["steps.txt"], "outs": ["weights.bin"]},
        "measure": {
            "cmd": "cp weights.bin metrics/metric.txt",
            "deps": ["weights.bin"],
            "plots": [{"metrics/metric.txt": {"cache": False}}],
        },
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (folder / "steps.txt").write_text("steps: 700\n\n\n\nrank: 4\n")
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "git", "config", "user.email", "tests@localhost")
    run(folder, "git", "config", "user.name", "tests")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "repro", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "trained")
    return folder


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("dvc_s3", reason="the S3 remote needs `make setup EXTRAS=s3`")
    with s3_server() as url:
        yield url


def share(mine: Path, theirs: Path, credentials: dict[str, str]) -> None:
    """Push everything, clone, pull; then a colleague's `dvc repro` must run nothing."""
    words = [f"{key}={value}" for key, value in credentials.items()]
    run(mine, "git", "commit", "-qam", "remote")
    run(mine, "env", *words, "dvc", "push", "-q", "--run-cache", "dvc.yaml")
    run(mine, "git", "clone", "-q", str(mine), str(theirs))
    run(theirs, "env", *words, "dvc", "pull", "-q", "--run-cache", "dvc.yaml")
    for out in yaml.safe_load((mine / "dvc.lock").read_text())["stages"]["train"]["outs"]:
        for path in (path for path in [mine / out["path"], *(mine / out["path"]).rglob("*")] if path.is_file()):
            assert (theirs / path.relative_to(mine)).read_bytes() == path.read_bytes()
    assert stages_run(run(theirs, "dvc", "repro").stdout) == set()


def test_a_folder_as_remote(mine: Path, tmp_path: Path) -> None:
    run(mine, "dvc", "remote", "add", "-d", "-q", "shared", str(tmp_path / "remote"))
    share(mine, tmp_path / "theirs", {})


@pytest.mark.slow
def test_a_release_is_fetched_by_its_version_without_a_clone(mine: Path, tmp_path: Path) -> None:
    """With a tag as GTO writes it (docs/teams.md)."""
    pipeline = yaml.safe_load((mine / "dvc.yaml").read_text())
    (mine / "dvc.yaml").write_text(yaml.safe_dump(pipeline | {"artifacts": {"lora": {"path": "weights.bin"}}}))
    run(mine, "dvc", "remote", "add", "-d", "-q", "shared", str(tmp_path / "remote"))
    run(mine, "git", "commit", "-qam", "artifact")
    run(mine, "dvc", "push", "-q")
    first = (mine / "weights.bin").read_text()
    run(mine, "gto", "register", "lora", "--version", "v1.0.0")
    (mine / "steps.txt").write_text("900\n")
    run(mine, "dvc", "repro", "-q")
    run(mine, "git", "commit", "-qam", "longer")
    run(tmp_path, "dvc", "artifacts", "get", str(mine), "lora", "--rev", "v1.0.0", "--out", "fetched")
    assert (tmp_path / "fetched").read_text() == first != (mine / "weights.bin").read_text()
    project = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    assert project["artifacts"]["lora"]["path"] == "models/lora"


@pytest.mark.slow
def test_an_s3_compatible_remote(mine: Path, tmp_path: Path, server: str) -> None:
    run(mine, "dvc", "remote", "add", "-d", "-q", "shared", "s3://anomend/dvc")
    run(mine, "dvc", "remote", "modify", "shared", "endpointurl", server)
    share(mine, tmp_path / "theirs", KEYS)
    kept = [path.read_text(errors="replace") for path in (mine / ".dvc").glob("config*")]
    assert not any("not-a-" in text for text in kept), "credentials belong to the environment"


def test_what_a_colleague_ran_on_another_branch_is_not_run_again(mine: Path, tmp_path: Path) -> None:
    run(mine, "dvc", "remote", "add", "-d", "-q", "shared", str(tmp_path / "remote"))
    run(mine, "git", "commit", "-qam", "remote")
    run(mine, "git", "clone", "-q", str(mine), str(tmp_path / "theirs"))
    (mine / "steps.txt").write_text("900\n")
    run(mine, "dvc", "repro", "-q")
    run(mine, "dvc", "push", "-q", "--run-cache")
    (tmp_path / "theirs" / "steps.txt").write_text("900\n")
    run(tmp_path / "theirs", "dvc", "pull", "-q", "--run-cache", "--allow-missing", check=False)
    said = run(tmp_path / "theirs", "dvc", "repro", "--pull").stdout
    assert "train" not in stages_run(said), said
    assert (tmp_path / "theirs" / "weights.bin").read_bytes() == (mine / "weights.bin").read_bytes()


@pytest.mark.slow
@on_request
def test_of_the_whole_pipeline_a_colleague_runs_nothing(
    reproduced_copy: Callable[[Path], Path], tmp_path: Path
) -> None:
    mine, theirs = reproduced_copy(tmp_path / "mine"), tmp_path / "theirs"
    run(mine, "dvc", "remote", "add", "-d", "-q", "shared", str(tmp_path / "remote"))
    run(mine, "git", "add", "-A")
    share(mine, theirs, {})
    # Without that run's dvc.lock and outputs, as on a branch that never ran, the run cache has those of stages that
    # write no metrics: what git keeps is never pushed (DVC 3.67).
    (theirs / "dvc.lock").unlink()
    for folder in ("data/samples", "models/lora", ".dvc/cache/files"):
        shutil.rmtree(theirs / folder)
    assert not stages_run(run(theirs, "dvc", "repro", "--pull").stdout) & {"encode", "sample_base", "sample_tuned"}
    lora = "models/lora/pytorch_lora_weights.safetensors"
    assert (theirs / lora).read_bytes() == (mine / lora).read_bytes()


def test_two_branches_merge_and_repro_settles_the_lock(mine: Path) -> None:
    """As docs/teams.md says: keep either side's dvc.lock, then `dvc repro`."""
    parameters = mine / "steps.txt"
    for branch, (old, new) in {"longer": ("700", "900"), "wider": ("rank: 4", "rank: 8")}.items():
        run(mine, "git", "checkout", "-q", "-b", branch, "main")
        parameters.write_text(parameters.read_text().replace(old, new))
        run(mine, "dvc", "repro", "-q")
        run(mine, "git", "commit", "-qam", branch)
    merged = run(mine, "git", "merge", "-q", "--no-edit", "longer", check=False)
    assert merged.returncode != 0, "both branches changed dvc.lock, so git must ask"
    conflicts = run(mine, "git", "diff", "--name-only", "--diff-filter=U").stdout.split()
    assert "dvc.lock" in conflicts
    run(mine, "git", "checkout", "--ours", "--", *conflicts)
    run(mine, "dvc", "repro", "-q")
    run(mine, "git", "add", "-A")
    run(mine, "git", "commit", "-qm", "merged")
    assert yaml.safe_load(run(mine, "dvc", "status", "--json").stdout) == {}
    assert parameters.read_text() == "steps: 900\n\n\n\nrank: 8\n"
    assert (mine / "weights.bin").read_text() == (mine / "metrics" / "metric.txt").read_text()
    assert (mine / "weights.bin").read_text() == parameters.read_text() * 9
