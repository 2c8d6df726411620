"""A stage that fails says why in one line and ends with a code other than 0."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock
from safetensors import SafetensorError

from anomend.project.metric_files import read_metrics, record_cost, resident_bytes, write_metrics
from anomend.project.run import LOCKS, run_stage
from anomend.project.timing import timed_work
from tests.clones import environment
from tests.conftest import ROOT


def failing(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("train.rank = 0: too small"), "train: train.rank = 0: too small"),
        (FileNotFoundError("no weights here: fetch them"), "train: no weights here: fetch them"),
        (OSError(28, "No space left on device", "x.png"), "No space left on device: 'x.png': fix that"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "train: out of memory: lower the stage's batch_size"),
        (MemoryError(), "train: out of memory"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "(os error 28): fix that, then run"),
        (
            SafetensorError("incomplete metadata"),
            "a file of tensors is broken (incomplete metadata): remove .checkpoints",
        ),
    ],
)
def test_a_users_mistake_is_one_line(
    error: BaseException, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        run_stage("train", failing(error))
    printed = capsys.readouterr().err
    assert ended.value.code == 1 and said in printed and len(printed.splitlines()) == 1


def test_a_bug_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyError):
        run_stage("train", failing(KeyError("loss")))


def test_a_stage_runs_once_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    LOCKS.mkdir(parents=True)
    with FileLock(LOCKS / "train.lock"), pytest.raises(SystemExit) as ended:
        run_stage("train", lambda: None)
    assert ended.value.code == 1 and "another run of this stage works in this folder" in capsys.readouterr().err
    run_stage("train", lambda: None)


def test_the_other_processes_of_a_launch_wait_for_no_lock_and_record_no_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "1")
    LOCKS.mkdir(parents=True)
    with FileLock(LOCKS / "train.lock"):
        run_stage("train", lambda: (tmp_path / "ran").touch())
    assert (tmp_path / "ran").exists() and not (tmp_path / "metrics").exists()


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_a_stage_writes_utf8_where_the_locale_is_another(locale: str, tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from anomend.project.run import run_stage;"
        "run_stage('x', lambda: Path('card').write_text('草'), measured=False)"
    )
    # Without Python's own rescue of the C locale its files would be ASCII.
    setting = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    (tmp_path / "stage.py").write_text(script, encoding="utf-8")
    subprocess.run([sys.executable, "stage.py"], cwd=tmp_path, env=environment() | setting, check=True)
    assert (tmp_path / "card").read_text(encoding="utf-8") == "草"


def test_a_stage_that_ends_well_records_its_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_stage("train", lambda: None)
    cost = json.loads((tmp_path / "metrics" / "resources" / "train.json").read_text())
    assert cost["seconds"] >= 0 and cost["peak_memory_bytes"] > 1_000_000


def test_the_record_has_the_work_that_was_timed_meanwhile_and_the_parameters_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resolved").mkdir()
    (tmp_path / "resolved" / "params.json").write_text('{"base": {"name": "mini"}}')

    def work() -> None:
        for amount in (3, 4):
            with timed_work("sampling", amount, "NVIDIA L4"):
                time.sleep(0.02)

    work()  # Outside of a stage nothing is noted.
    run_stage("sample_base", work)
    record = json.loads((tmp_path / "metrics" / "resources" / "sample_base.json").read_text())
    assert record["work"]["sampling"]["amount"] == 7 and record["work"]["sampling"]["device"] == "NVIDIA L4"
    assert 0.04 <= record["work"]["sampling"]["seconds"] < record["seconds"] + 0.1
    assert record["parameters"] == {"params.json": {"base": {"name": "mini"}}, "run.json": {}}
    # Run again with nothing left to do, it keeps what is known.
    run_stage("sample_base", lambda: None)
    assert json.loads((tmp_path / "metrics" / "resources" / "sample_base.json").read_text()) == record
    run_stage("verdict", lambda: None)
    assert "work" not in json.loads((tmp_path / "metrics" / "resources" / "verdict.json").read_text())


def test_metric_files_go_round_trip_and_refuse_nan(tmp_path: Path) -> None:
    path = tmp_path / "metrics" / "x.json"
    write_metrics(path, {"rate": None, "reason": "no images"}, {"n": 0})
    assert read_metrics(path) == {"rate": None, "reason": "no images", "provenance": {"n": 0}}
    with pytest.raises(ValueError, match=r"x\.json\.deep\.rate is nan"):
        write_metrics(path, {"deep": {"rate": float("nan")}}, {})


@pytest.mark.parametrize(("platform", "bytes_of_2048"), [("linux", 2 * 2**20), ("darwin", 2048)])
def test_peak_memory_is_in_bytes_on_every_platform(
    platform: str, bytes_of_2048: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert resident_bytes(SimpleNamespace(ru_maxrss=2048)) == bytes_of_2048  # type: ignore[arg-type]


def test_the_cost_is_recorded_where_memory_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, whose Python has no module `resource`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(sys, "platform", "win32")
    with record_cost("train"):
        pass
    assert json.loads(Path("metrics/resources/train.json").read_text())["peak_memory_bytes"] is None
