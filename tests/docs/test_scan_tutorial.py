"""The tutorial's way from a scan to a confirmation, by its four commands, in a clone with little training.

Images are sampled in all 20 steps, since in fewer every prompt is drawn wrong. The suite is a third of the miniature's,
and the training too short to correct anything: that a real one does is the committed run's matter. Five minutes.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomend.project.metric_files import read_metrics
from anomend.project.yaml_files import read_yaml
from tests.clones import SHRUNK, clone, run, virtual_environment
from tests.docs.blocks import blocks
from tests.long_runs import on_request

pytestmark = [pytest.mark.slow, on_request]

WRONG, RIGHT = ["lying on the grass", "lying on the street"], ["sitting on the grass", "sitting on the street"]
SUITE = "prompt,posture,place\n" + "".join(
    f"{prompt},{prompt.split()[0]},{prompt.split()[-1]}\n" for prompt in [*WRONG, *RIGHT]
)
CHANGES = {name: values for name, values in SHRUNK.items() if name not in ("prompts", "class_images")} | {
    "scan": {"suite": "data/own_suite.csv"},
    "scan.fresh": {"seeds_per_prompt": 8},
    "class_images": {"prompts": ["a photo of a person standing on the beach"], "per_prompt": 2},
    "sample": {"target_seeds_per_prompt": 4, "held_out_seeds_per_prompt": 4, "batch_size": 4},
}


def test_four_commands_lead_from_a_scan_to_a_confirmation(tmp_path: Path) -> None:
    project = clone(tmp_path / "anomend", CHANGES)
    (project / "data/own_suite.csv").write_text(SUITE)
    virtual_environment(project)
    tutorial = [
        line
        for block in blocks()
        if block.page == "docs/tutorial.md" and {"make scan", "make confirm"} & set(block.lines())
        for line in block.lines()
    ]
    assert [line.split()[0] for line in tutorial] == ["make", "dvc", "python", "git", "make"]
    for line in tutorial:
        run(project, "bash", "-c", line)
        if line == "make scan":
            scan = read_metrics(project / "metrics/scan.json")
            assert {row["prompt"] for row in scan["prompts"] if row["status"] == "wrong"} == set(WRONG)
            overlay = read_yaml(project / "profiles/scanned.yaml")
            assert overlay["inherits"] == "mini" and set(overlay["prompts"]["held_out"]) == set(RIGHT)
    verdict = json.loads((project / "confirmations/001/verdict.json").read_text())
    assert verdict["confirmation"] == 1
    record = json.loads((project / "confirmations/001.json").read_text())
    assert set(record["prompts"]["target"]) == set(WRONG)
