"""A stage that fails says why in one line and leaves with a code that is not 0."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.cli import run_stage
from stages.metric_files import read_metrics, write_metrics


def failing(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("train.rank = 0: too small"), "train: train.rank = 0: too small"),
        (FileNotFoundError("no weights here: fetch them"), "train: no weights here: fetch them"),
        (OSError(28, "No space left on device", "x.png"), "No space left on device: 'x.png': mend that"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "train: out of memory: lower the stage's batch_size"),
        (MemoryError(), "train: out of memory"),
    ],
)
def test_a_users_mistake_is_one_line(
    error: BaseException, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        run_stage("train", failing(error))
    printed = capsys.readouterr().err
    assert left.value.code == 1 and said in printed and len(printed.splitlines()) == 1


def test_our_own_mistake_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyError):
        run_stage("train", failing(KeyError("loss")))


def test_a_stage_that_ends_well_notes_its_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_stage("train", lambda: None)
    noted = json.loads((tmp_path / "metrics" / "resources" / "train.json").read_text())
    assert noted["seconds"] >= 0 and noted["peak_memory_bytes"] > 1_000_000


def test_metric_files_go_round_trip_and_refuse_nan(tmp_path: Path) -> None:
    path = tmp_path / "metrics" / "x.json"
    write_metrics(path, {"rate": None, "reason": "no images"}, {"n": 0})
    assert read_metrics(path) == {"rate": None, "reason": "no images", "provenance": {"n": 0}}
    with pytest.raises(ValueError, match=r"x\.json\.deep\.rate is nan"):
        write_metrics(path, {"deep": {"rate": float("nan")}}, {})
