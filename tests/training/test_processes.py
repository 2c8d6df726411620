"""One process and two come to the same weights, copied or sharded, and so does a resumed run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.clones import run
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
CHANGES = {"steps": 8, "batch_size": 4, "class_batch_size": 2, "micro_batch_size": 2}
TWO = ["accelerate", "launch", "--config_file", "configs/accelerate/two_cpus.yaml"]


def launch(folder: Path, processes: int, **changes: Any) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    command = [*(TWO if processes == 2 else ["python"]), "-m", "tests.training.trains_tiny"]
    return run(ROOT, *command, str(folder), json.dumps(CHANGES | changes), check=False)


def what_happened(done: subprocess.CompletedProcess[str]) -> str:
    """What the processes wrote before their launcher wrote of them, without progress bars."""
    lines = [line for line in done.stderr.splitlines() if "step/s" not in line and "torchvision" not in line]
    return "\n".join(lines)[:4000]


def weights(folder: Path, rank: int = 0) -> dict[str, torch.Tensor]:
    return load_file(folder / f"weights-{rank}.safetensors")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    assert launch(folder, 1).returncode == 0
    return folder


@pytest.mark.parametrize("shard", [False, True], ids=["copied", "sharded"])
def test_two_processes_agree_with_one(alone: Path, tmp_path: Path, shard: bool) -> None:
    done = launch(tmp_path, 2, shard=shard)
    assert done.returncode == 0, what_happened(done)
    assert (tmp_path / "sharded").read_text() == str(shard)
    for rank in (0, 1):
        torch.testing.assert_close(weights(tmp_path, rank), weights(alone), atol=1e-5, rtol=1e-4)
    curves = [json.loads((folder / "curve-0.json").read_text()) for folder in (alone, tmp_path)]
    for one, two in zip(*curves, strict=True):
        assert two == pytest.approx(one, rel=1e-4)


@pytest.mark.parametrize("shard", [False, True], ids=["copied", "sharded"])
def test_two_processes_resume(alone: Path, tmp_path: Path, shard: bool) -> None:
    done = launch(tmp_path, 2, shard=shard, stop_after=5)
    assert done.returncode == 0, what_happened(done)
    assert not (tmp_path / "weights-0.safetensors").exists()
    done = launch(tmp_path, 2, shard=shard)
    assert "resuming after step 5" in done.stdout + done.stderr
    torch.testing.assert_close(weights(tmp_path), weights(alone), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("base", "shard"), [("flux2-klein", True), ("z-image", False), ("qwen-image", True), ("chroma", True)]
)
def test_two_processes_agree_with_one_for_each_family(tmp_path: Path, base: str, shard: bool) -> None:
    changes = {"base": base, "steps": 3, "target_modules": ["to_q", "to_k", "to_out.0"]}
    folders = [tmp_path / name for name in ("one", "two")]
    for processes, folder in enumerate(folders, start=1):
        done = launch(folder, processes, shard=shard and processes == 2, **changes)
        assert done.returncode == 0, what_happened(done)
    assert (folders[1] / "sharded").read_text() == str(shard)
    torch.testing.assert_close(weights(folders[1], 1), weights(folders[0]), atol=1e-5, rtol=1e-4)


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    done = launch(tmp_path, 2, batch_size=3)
    assert done.returncode != 0 and "cannot be shared evenly by 2 processes" in done.stderr


def test_one_graph_for_several_processes_is_refused(tmp_path: Path) -> None:
    done = launch(tmp_path, 2, compile="whole")
    assert done.returncode != 0 and "train.compile = whole is for one process: set it to blocks" in done.stderr


def test_the_loss_of_a_base_in_float16_is_scaled_on_shards_too(tmp_path: Path) -> None:
    for processes, folder in ((1, tmp_path / "one"), (2, tmp_path / "two")):
        done = launch(folder, processes, dtype="float16", shard=processes == 2)
        assert done.returncode == 0, what_happened(done)
    assert (tmp_path / "two" / "sharded").read_text() == "True"
    one, two = (json.loads((tmp_path / name / "curve-0.json").read_text()) for name in ("one", "two"))
    for name in ("loss", "gradient_norm"):
        assert [row[name] for row in two] == pytest.approx([row[name] for row in one], rel=1e-2)
