"""Killed at any moment of its sampling, a stage goes on from the last batch and ends with the same bytes."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import pytest

from tests.clones import SHRUNK, killed, run, set_params, start
from tests.faults.faulty import differences, outputs
from tests.faults.table import Row, record, whole_suite

pytestmark = pytest.mark.slow

STAGES = {"sample_base": "sample base", "class_images": "class_images", "losers": "losers"}
OUTPUT = {"sample_base": "samples/base"}
"""Below data/, where it does not have the stage's name."""
KILLS = 7 if whole_suite() else 2
BATCH = SHRUNK["sample"]["batch_size"]


def lines(folder: Path) -> list[dict[str, int]]:
    log = folder / ".samples" / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.parametrize("stage", STAGES if whole_suite() else ["sample_base"])
def test_killed_while_sampling(reproduced_whole: Path, stage: str) -> None:
    folder, command = reproduced_whole, ["python", "-m", *f"stages.{STAGES[stage]}".split()]
    if stage == "losers":
        set_params(folder, {"train": {"method": "dpo"}})
        run(folder, "python", "-m", "stages.resolve")
    # Otherwise the store would be filled from what the stage has made before.
    shutil.rmtree(folder / ".samples", ignore_errors=True)
    shutil.rmtree(folder / "data" / OUTPUT.get(stage, stage), ignore_errors=True)
    run(folder, *command)
    before, whole = outputs(folder), len(lines(folder))
    forget_samples(folder, stage)
    kills, made = 0, 0
    while kills < KILLS:
        # From the first batch of this process on, at a random moment of the next ones.
        process, seen = start(folder, *command), len(lines(folder))
        while process.poll() is None and len(lines(folder)) == seen:
            time.sleep(0.002)
        time.sleep(random.SystemRandom().uniform(0, 0.5))
        if process.poll() is None:
            killed(process)
            kills += 1
        else:
            process.communicate()
        made = len(lines(folder))
        if process.returncode == 0:
            # It was faster than all kills: once more from the start.
            assert differences(before, outputs(folder)) == []
            forget_samples(folder, stage)
    run(folder, *command)
    again = sum(line["made_again"] for line in lines(folder))
    lost = differences(before, outputs(folder))
    text = f"{whole} batches of {BATCH}; {made} were made in the processes that were killed"
    row = Row(stage, "SIGKILL while sampling, then again", kills, len(lost), text, again, BATCH)
    record(row)
    assert not lost and again <= kills * BATCH


def forget_samples(folder: Path, stage: str) -> None:
    """No image of the stage is there any more: neither in the store nor in its outputs."""
    log = (folder / ".samples" / "log.jsonl").read_text()
    shutil.rmtree(folder / ".samples")
    (folder / ".samples").mkdir()
    (folder / ".samples" / "log.jsonl").write_text(log)
    shutil.rmtree(folder / "data" / OUTPUT.get(stage, stage))
