"""`make plan` answers at once, also for a base that is not on this machine."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from anomend.project.yaml_files import read_yaml
from commands.plan import main
from tests.conftest import ROOT
from tests.families.test_table import OTHERS, UNPINNED


@pytest.mark.slow
def test_the_bill_of_a_real_profile_takes_five_seconds_and_no_weights() -> None:
    command = [sys.executable, "-m", "commands.plan", "--profile", "sd35-medium"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # In processor time, because other processes of this machine are no matter.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
    rows = {line.split()[0]: line for line in said.partition("What that takes:")[2].splitlines() if line.strip()}
    # 1,408 samples, half of them by each model.
    assert {"sample_base", "sample_tuned"} <= rows.keys()
    for stage in ("sample_base", "sample_tuned"):
        assert rows[stage].split()[1:3] == ["704", "40"] and " GB " in rows[stage] and "on H100" in rows[stage]
    assert "on L40S" in rows["in"]


@pytest.mark.slow
def test_a_scan_of_a_real_profile_is_billed_without_weights() -> None:
    command = [sys.executable, "-m", "commands.plan", "--profile", "sd35-medium", "--scan"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "scan/dvc.yaml:scan " in said and "sample_base" not in said and "People label" not in said
    (row,) = (line for line in said.splitlines() if line.strip().startswith("scan  "))
    # 60 prompts of 128 images at most, and 24 fresh ones, in blocks of 4; 40 steps.
    assert f"to {60 * (128 + 24):,}" in row and " 40 " in row and "on H100" in row


@pytest.mark.parametrize("profile", OTHERS)
def test_each_family_is_planned_and_a_base_that_is_not_pinned_is_said_to_be_refused(
    profile: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    settings = "collect.source=openai measure.detector=none class_images.detector=none losers.detector=none"
    monkeypatch.setattr(sys, "argv", ["plan", "--profile", profile, "--set", f"{settings} base.quantise=none"])
    main()
    said = capsys.readouterr().out
    refused = f"Stage resolve would refuse this: base.name = '{profile}' has no pinned commit here" in said
    assert refused == (profile in UNPINNED)
    rows = {
        line.split()[0]: line.split() for line in said.partition("What that takes:")[2].splitlines() if line.strip()
    }
    steps = str(read_yaml(ROOT / "profiles" / f"{profile}.yaml")["sample"]["steps"])
    assert rows["sample_base"][1:3] == ["704", steps] == rows["sample_tuned"][1:3]
