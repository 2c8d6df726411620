"""Killed at any moment and run again, every stage ends with the outputs of a run that nothing disturbed."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from os import killpg
from pathlib import Path

import pytest
import yaml

from tests.clones import environment, run
from tests.conftest import ROOT
from tests.faults.conftest import Row, outputs, seconds, whole_suite

pytestmark = pytest.mark.slow


def stage_names() -> list[str]:
    """Every stage of dvc.yaml, a matrix by its members."""
    names = []
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        members = [f"{name}@{member}" for values in stage.get("matrix", {}).values() for member in values]
        names += members or [name]
    return names


STAGES = stage_names() if whole_suite() else ["train", "sample_tuned"]
KILLS = 5 if whole_suite() else 1
only_in_the_whole_suite = pytest.mark.skipif(not whole_suite(), reason="minutes long: `make faults` runs it")
START_UP = 2.0
"""Seconds that DVC and the imports take beside what the stage itself noted."""


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_random_moments(reproduced_whole: Path, table: list[Row], stage: str) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    usual = seconds(folder, stage) + START_UP
    killed, said = 0, ""
    for moment in (random.SystemRandom().uniform(0.2, usual) for _ in range(KILLS)):
        command = ["dvc", "repro", "--single-item", "--force", stage]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moment)
        if process.poll() is None:
            killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
        again = run(folder, "dvc", "repro", check=False)
        said = (again.stderr.strip().splitlines() or [""])[-1] if again.returncode else ""
        assert again.returncode == 0, f"killed after {moment:.2f} s of {usual:.2f}: {again.stderr[-2000:]}"
    after = outputs(folder)
    lost = sum(after.get(path) != md5 or not (folder / path).exists() for path, md5 in before.items())
    table.append(
        Row(stage, "killed at a random moment (SIGKILL to the whole group), then dvc repro", killed, lost, said)
    )
    assert lost == 0


@only_in_the_whole_suite
def test_a_second_run_at_once_waits_or_is_refused_and_spoils_nothing(reproduced_whole: Path, table: list[Row]) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    command = ["dvc", "repro", "--single-item", "--force", "train"]
    first = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(1.5)
    second = run(folder, *command, check=False)
    said = second.stderr.strip().splitlines()
    assert first.wait() == 0, first.stderr.read().decode() if first.stderr else ""
    assert "Traceback" not in second.stderr
    assert run(folder, "dvc", "repro", check=False).returncode == 0
    lost = sum(outputs(folder).get(path) != md5 for path, md5 in before.items())
    table.append(Row("train", "a second dvc repro at once", 1, lost, said[-1] if second.returncode and said else ""))
    assert lost == 0


def test_a_corrupted_input_is_made_again(reproduced_whole: Path, table: list[Row]) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    run(folder, "dvc", "unprotect", "data/samples/tuned")
    image = next(iter(sorted((folder / "data/samples/tuned").glob("*.png"))))
    image.write_bytes(image.read_bytes()[:100])
    done = run(folder, "dvc", "repro", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lost = sum(outputs(folder).get(path) != md5 for path, md5 in before.items())
    table.append(Row("measure@tuned", "a truncated sample in the workspace, then dvc repro", 1, lost, ""))
    assert lost == 0 and len(image.read_bytes()) > 100


@pytest.mark.parametrize(
    "setting", [{"LC_ALL": "C", "TZ": "Asia/Kathmandu"}, {"LC_ALL": "tr_TR.UTF-8", "TZ": "UTC+12"}], ids=str
)
def test_locale_and_clock_change_nothing(reproduced_whole: Path, table: list[Row], setting: dict[str, str]) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    words = [f"{key}={value}" for key, value in setting.items()]
    for stage in ("collect", "curate", "compare", "verdict", "report"):
        run(folder, "env", *words, "dvc", "repro", "--single-item", "--force", stage)
    lost = sum(outputs(folder).get(path) != md5 for path, md5 in before.items())
    table.append(Row("collect, curate, compare, verdict, report", f"run with {' '.join(words)}", 1, lost, ""))
    assert lost == 0


@only_in_the_whole_suite
@pytest.mark.parametrize("stage", ["collect", "train", "sample tuned", "report"])
def test_a_full_disk_is_one_sentence(reproduced_whole: Path, table: list[Row], stage: str) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    # A limit on the size of a file stands for a full disk: writing fails with an OSError in both.
    limited = (
        "import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "sys.argv = sys.argv[1:]; module = sys.argv[0];"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512));"
        "runpy.run_module(module, run_name='__main__')"
    )
    script, *words = stage.split()
    run(folder, "dvc", "unprotect", "data/collected", "data/samples/tuned", "models/lora")
    done = run(folder, "python", "-c", limited, f"stages.{script}", *words, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert "nothing finished is lost" in done.stderr
    run(folder, "dvc", "repro")
    lost = sum(outputs(folder).get(path) != md5 for path, md5 in before.items())
    table.append(
        Row(stage, "no space for a file of more than 512 bytes", 1, lost, done.stderr.strip().splitlines()[-1])
    )
    assert lost == 0
