"""The tutorial's way from a scan to a confirmed correction, by its commands, as a user gives them in a fresh clone.

Nothing is shrunk, and nothing is set: scan, training, verdict and confirmation are those of the page.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomend.miniature.defects import DEFECTIVE
from anomend.project.metric_files import read_metrics
from anomend.project.yaml_files import read_yaml
from tests.clones import clone, run, virtual_environment
from tests.docs.blocks import blocks
from tests.long_runs import on_request

pytestmark = [pytest.mark.slow, on_request]

PLANTED = {f"{posture} on the {place}" for posture, place in DEFECTIVE}


def test_four_commands_lead_from_a_scan_to_a_confirmed_correction(tmp_path: Path) -> None:
    project = clone(tmp_path / "anomend", {})
    virtual_environment(project)
    tutorial = [
        line
        for block in blocks()
        if block.page == "docs/tutorial.md" and {"make scan", "make confirm"} & set(block.lines())
        for line in block.lines()
    ]
    # Scan, run, look, confirm; what is confirmed has to be committed.
    assert [line.split()[0] for line in tutorial] == ["make", "dvc", "python", "git", "make"]
    for line in tutorial:
        said = run(project, "bash", "-c", line).stdout
        if line == "make scan":
            scan = read_metrics(project / "metrics/scan.json")
            assert {row["prompt"] for row in scan["prompts"] if row["status"] == "wrong"} == PLANTED
            proposed = read_yaml(project / "profiles/scanned.yaml")["prompts"]
            assert set(proposed["target"]) == {"lying on the grass", "lying on the street"}
        if line.startswith("python"):
            assert (
                "verdict: corrected\n" in said
                and read_metrics(project / "metrics/verdict.json")["verdict"] == "corrected"
            )
    verdict = json.loads((project / "confirmations/001/verdict.json").read_text())
    assert (verdict["verdict"], verdict["exploratory"], verdict["confirmation"]) == ("corrected", False, 1)
    record = json.loads((project / "confirmations/001.json").read_text())
    assert {group: set(record["prompts"][group]) for group in proposed} == {
        group: set(prompts) for group, prompts in proposed.items()
    }
