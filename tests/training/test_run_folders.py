"""A training continues its own checkpoints, says why it does not continue another's, and does not let them pile up."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
import torch

from anomend.training.checkpoints import save_checkpoint
from anomend.training.run_folders import KEPT, open_run, run_folder
from anomend.training.run_key import run_identity
from tests.training.test_run_key import params


def identity(encoded: Path, code: str = "code", **train: object) -> dict[str, object]:
    encoded.mkdir(exist_ok=True)
    (encoded / "instance.safetensors").touch()
    return run_identity(params(train=train), encoded=encoded, base_weights="weights", code=code)


def killed(folder: Path, run: dict[str, object], step: int, days_ago: float = 0) -> Path:
    """A run that left a checkpoint behind."""
    open_run(folder, run)
    path = run_folder(folder, run)
    save_checkpoint(path, step, {"lora/0": torch.zeros(1)})
    for file in path.iterdir():
        os.utime(file, (time.time() - days_ago * 86400,) * 2)
    return path


def test_less_memory_after_a_kill_goes_on_where_it_was(tmp_path: Path) -> None:
    before = killed(tmp_path / "train", identity(tmp_path / "encoded"), step=30)
    smaller = identity(tmp_path / "encoded", micro_batch_size=1, gradient_checkpointing=True)
    assert run_folder(tmp_path / "train", smaller) == before
    assert open_run(tmp_path / "train", smaller) == []


def test_what_keeps_a_checkpoint_from_being_continued_is_said(tmp_path: Path) -> None:
    left = killed(tmp_path / "train", identity(tmp_path / "encoded"), step=30)
    assert open_run(tmp_path / "train", identity(tmp_path / "encoded", rank=4)) == [
        f"{left} has step 30 of another run, which is not continued: train.rank was 16 and is 4; starting at step 0"
    ]
    (said,) = open_run(tmp_path / "train", identity(tmp_path / "encoded", code="changed", seed=3))
    assert "the code that trains has changed; train.seed was 0 and is 3" in said
    (tmp_path / "encoded" / "instance.safetensors").write_bytes(b"other images")
    (tmp_path / "encoded" / "loser.safetensors").touch()
    (said,) = open_run(tmp_path / "train", identity(tmp_path / "encoded") | {"base.dtype": "float16", "x.y": 1})
    assert 'base.dtype was "float32" and is "float16"; instance.safetensors has changed' in said
    assert "loser.safetensors was added; and 1 more" in said


def test_a_checkpoint_that_does_not_say_what_it_is_of_is_not_continued(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "train" / "0123", 7, {"lora/0": torch.zeros(1)})
    (tmp_path / "train" / "0123" / "state-0000007 (1).safetensors").touch()
    for content in (None, "", "[1]", "7"):
        if content is not None:
            (tmp_path / "train" / "0123" / "run.json").write_text(content)
        shutil.rmtree(run_folder(tmp_path / "train", identity(tmp_path / "encoded")), ignore_errors=True)
        (said,) = open_run(tmp_path / "train", identity(tmp_path / "encoded"))
        assert "has step 7 of another run" in said and "does not say what it depends on" in said


def test_old_checkpoints_do_not_pile_up_and_a_run_that_may_still_go_on_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    old = [killed(folder, identity(tmp_path / "encoded", seed=seed), 5, days_ago=20 - seed) for seed in range(10)]
    recent = [killed(folder, identity(tmp_path / "encoded", seed=seed), 5) for seed in range(100, 100 + KEPT + 2)]
    assert not any(path.exists() for path in old) or sum(path.exists() for path in old) <= KEPT
    (said,) = [each for each in open_run(folder, identity(tmp_path / "encoded", seed=99)) if "deleted" in each] or [""]
    assert all(path.exists() for path in recent)
    assert not any(path.exists() for path in old), said


@pytest.mark.parametrize("count", [1, 30])
def test_however_often_it_is_killed_a_bounded_number_of_folders_stays(tmp_path: Path, count: int) -> None:
    for seed in range(count):
        killed(tmp_path / "train", identity(tmp_path / "encoded", seed=seed), step=1, days_ago=2)
    assert len(list((tmp_path / "train").iterdir())) <= KEPT + 1
