"""Two runs in one folder: one of them waits or is refused in a sentence, and nothing is spoiled."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.clones import run, start
from tests.faults.faulty import differences, forget, outputs, repro
from tests.faults.table import Row, record, whole_suite

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not whole_suite(), reason="minutes long: `make faults` runs it"),
]
BUSY = "another run of this stage works in this folder"


@pytest.mark.parametrize("stage", ["collect", "train", "sample_tuned"])
def test_a_second_repro_at_once(reproduced_whole: Path, stage: str) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    command = ["dvc", "repro", "--single-item", "--force", stage]
    both = [start(folder, *command), start(folder, *command)]
    said = [process.communicate()[0] for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes and not any("Traceback" in text for text in said), said
    done = run(folder, "dvc", "repro", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lost = differences(before, outputs(folder))
    lines = [line for text, code in zip(said, codes, strict=True) if code for line in text.splitlines()]
    refused = [line for line in lines if "busy" in line or BUSY in line or "lock" in line]
    assert len(refused) > 0 or codes == [0, 0], said
    message = f"one is refused: {refused[0].strip()}" if refused else "they went one after the other"
    record(Row(stage, "a second dvc repro at once", 1, len(lost), message.replace(str(folder), "FOLDER")))
    assert not lost


@pytest.mark.parametrize("stage", ["train", "sample_tuned"])
def test_dvc_alone_is_killed_and_its_stage_works_on(reproduced_whole: Path, stage: str) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    forget(folder, stage)
    # The ordinary commands: what a forked one has started dies with it (tests/warm_python).
    first = start(folder, "env", "-u", "ANOMEND_WARM", "dvc", "repro", "--single-item", "--force", stage)
    lock = folder / ".checkpoints" / "locks" / f"{stage}.lock"
    lock.unlink(missing_ok=True)
    while not lock.exists():
        assert first.poll() is None, "it ended before it began"
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()  # Until its parent has taken notice, a process counts as alive.
    second, _ = repro(folder)
    assert "Traceback" not in second.stderr
    if refused := second.returncode != 0:
        assert BUSY in second.stderr, second.stderr[-2000:]
    first.communicate()  # The stage holds the other end of dvc's output: this waits for it.
    done = run(folder, "dvc", "repro", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lost = differences(before, outputs(folder))
    message = f"while it works on: {stage}: {BUSY}" if refused else "the stage had ended first"
    record(Row(stage, "SIGKILL to dvc alone, then dvc repro while the stage still runs", 1, len(lost), message))
    assert not lost
