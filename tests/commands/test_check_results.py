"""Results that are not the commit's are named; results that are pass, without the data that only DVC keeps."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from commands.check_results import broken_links, check_results
from tests.clones import run
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("warm_interpreter")


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """Two stages as a colleague with a GPU commits them: lock, metrics and parameters in git, the data elsewhere."""
    (tmp_path / "metrics").mkdir()
    (tmp_path / "params.yaml").write_text("steps: 3\n")
    (tmp_path / "code.txt").write_text("first\n")
    stages = {
        "train": {
            "cmd": "cp code.txt weights.bin",
            "deps": ["code.txt"],
            "params": ["steps"],
            "outs": ["weights.bin"],
        },
        "measure": {
            "cmd": "cp weights.bin metrics/metric.json",
            "deps": ["weights.bin"],
            "metrics": [{"metrics/metric.json": {"cache": False}}],
        },
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    run(tmp_path, "dvc", "repro", "-q")
    (tmp_path / "weights.bin").unlink()
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    return tmp_path


def test_data_that_was_not_pulled_is_no_problem(committed: Path) -> None:
    assert check_results(committed) == []


def relock(folder: Path) -> None:
    path = folder / "dvc.lock"
    content = yaml.safe_load(path.read_text())
    content["stages"]["measure"]["deps"][0]["md5"] = "0" * 32
    path.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "params.yaml").write_text("steps: 4\n"), "train: params.yaml: steps modified"),
        (lambda folder: (folder / "code.txt").write_text("second\n"), "train: code.txt is modified"),
        (lambda folder: (folder / "metrics/metric.json").write_text("{}"), "measure: metrics/metric.json is modified"),
        (lambda folder: (folder / "metrics/metric.json").unlink(), "measure: metrics/metric.json is deleted"),
        (relock, "measure: read another weights.bin than train wrote"),
    ],
)
def test_what_does_not_belong_is_named(committed: Path, change: Callable[[Path], object], said: str) -> None:
    change(committed)
    assert said in check_results(committed)


def test_a_frozen_stage_is_named_since_dvc_does_not_compare_it(committed: Path) -> None:
    path = committed / "dvc.yaml"
    path.write_text(path.read_text().replace("  train:\n", "  train:\n    frozen: true\n"))
    (committed / "code.txt").write_text("second\n")
    assert "train: it is frozen, so DVC does not compare it" in check_results(committed)


def test_a_changed_command_is_named(committed: Path) -> None:
    path = committed / "dvc.yaml"
    path.write_text(path.read_text().replace("cp code.txt", "cp -f code.txt"))
    assert any(problem.startswith("train: changed command") for problem in check_results(committed))


def test_without_a_lock_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run `dvc repro`"):
        check_results(tmp_path)


def test_the_committed_lock_is_whole() -> None:
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    assert list(broken_links(lock)) == []
