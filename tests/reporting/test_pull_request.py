"""The comment has verdict, measures and changes, and is short enough for GitHub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from anomend.reporting.pull_request import LIMIT, pull_request_comment
from tests.clones import clone, run, set_params
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("warm_interpreter")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose branch has another rank and another verdict."""
    folder = clone(tmp_path_factory.mktemp("pull_request"))
    run(folder, "git", "branch", "-m", "main")
    set_params(folder, {"train": {"rank": 5}})
    run(folder, "python", "-m", "stages.resolve")
    verdict = json.loads((folder / "metrics" / "verdict.json").read_text())
    verdict["verdict"] = "inconclusive"
    (folder / "metrics" / "verdict.json").write_text(json.dumps(verdict))
    return folder


def test_it_has_verdict_measures_and_changes(changed: Path) -> None:
    text = pull_request_comment(changed, base="main", images="https://images.example/abc/")
    effect = json.loads((ROOT / "metrics" / "compare.json").read_text())["anomaly_rate_target"]
    assert text.startswith("## inconclusive\n")
    assert f"| {effect['base']:.4g} | {effect['tuned']:.4g} | {effect['delta']:.4g} |" in text
    assert "train.rank" in text and "| inconclusive |" in text.replace("  ", "")
    assert "](https://images.example/abc/report/side_by_side.png)" in text
    assert len(text) <= LIMIT


def test_the_verdict_of_a_quick_run_is_headed_as_one(changed: Path) -> None:
    path = changed / "metrics" / "verdict.json"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | {"exploratory": True}))
    text = pull_request_comment(changed, base="main", images=".")
    path.write_text(before)
    assert text.startswith("## inconclusive (a quick run, which proves nothing)\n\n- ")


def test_an_unchanged_branch_says_so(changed: Path) -> None:
    run(changed, "git", "checkout", "-q", "-b", "same")
    run(changed, "git", "commit", "-qam", "other")
    text = pull_request_comment(changed, base="HEAD", images=".")
    assert "are the same as on HEAD" in text and "No parameter changed." in text


def test_a_report_that_is_too_long_is_linked(changed: Path) -> None:
    report = changed / "report" / "report.md"
    before = report.read_text()
    report.write_text("x" * LIMIT)
    try:
        assert "It is `report/report.md` of this commit." in pull_request_comment(changed, base="HEAD", images=".")
    finally:
        report.write_text(before)


def test_an_unknown_base_is_one_sentence(changed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "commands.pull_request_comment", "--base", "nowhere"],
        cwd=changed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1 and "nowhere" in done.stderr
