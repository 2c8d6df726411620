"""Killed at any moment and run again, every stage ends with the outputs of a run that nothing disturbed."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.clones import run, stages_run
from tests.faults.faulty import differences, forget, killed_after, outputs, repro, stage_names
from tests.faults.table import Row, record, whole_suite

pytestmark = pytest.mark.slow

STAGES = stage_names() if whole_suite() else ["train"]
KILLS = 5 if whole_suite() else 1


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_random_moments(reproduced_whole: Path, stage: str) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    again = ["dvc", "repro", "--single-item", "--force", stage]
    began = time.monotonic()
    run(folder, *again)
    usual, moments, interrupted, repaired = time.monotonic() - began, [], 0, 0
    lost = set(differences(before, outputs(folder)))
    # One kill in each fifth of the stage, at a random moment of it: the imports, the work, the writing, DVC's own part.
    for part in range(KILLS):
        low, high = part / KILLS, (part + 1) / KILLS
        forget(folder, stage)
        while not killed_after(folder, moment := random.SystemRandom().uniform(low, high) * usual, *again):
            usual *= 0.8
        moments.append(moment)
        done, was_cut = repro(folder)
        repaired += was_cut
        assert done.returncode == 0, f"killed after {moment:.2f} s of {usual:.2f}: {done.stderr[-2000:]}"
        assert stages_run(done.stdout) <= {stage}, "no other stage had anything to do"
        interrupted += stages_run(done.stdout) == {stage}
        lost |= set(differences(before, outputs(folder)))
    text = f"killed after {', '.join(f'{moment:.1f}' for moment in moments)} s of some {usual:.1f}; "
    text += f"{interrupted} times the stage had to run again"
    text += f", {repaired} times a file of DVC was truncated and `make repro` repaired it"
    record(Row(stage, "SIGKILL at a random moment, to dvc and the stage, then make repro", KILLS, len(lost), text))
    assert not lost and (interrupted or not whole_suite())
