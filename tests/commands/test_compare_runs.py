"""Several runs on one page, from git alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from anomend.reporting.run_comparison import comparison_page
from commands.compare_runs import read_run
from tests.conftest import ROOT


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.email=tests@localhost", "-c", "user.name=tests"]
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose `main` has the committed results; the experiment `wider` has another rank and verdict."""
    folder = tmp_path_factory.mktemp("runs")
    git(folder, "init", "-q", "-b", "main")
    for name in ("metrics/verdict.json", "metrics/compare.json", "resolved/params.json", "report/side_by_side.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "main")
    verdict = json.loads((folder / "metrics/verdict.json").read_text()) | {"verdict": "inconclusive"}
    (folder / "metrics/verdict.json").write_text(json.dumps(verdict))
    parameters = json.loads((folder / "resolved/params.json").read_text())
    parameters["train"]["rank"] = 64
    (folder / "resolved/params.json").write_text(json.dumps(parameters))
    tree = git(folder, "stash", "create").strip()
    base = git(folder, "rev-parse", "HEAD").strip()
    git(folder, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/wider", tree)  # Where DVC keeps experiments.
    return folder


def test_runs_are_side_by_side_with_what_differs(project: Path) -> None:
    page = comparison_page([read_run(project, name) for name in ("main", "wider")])
    assert "✓ Corrected</strong> main" in page and "? Inconclusive</strong> wider" in page
    rows = [row for row in page.split("<tr>") if "train." in row]
    assert len(rows) == 1 and "train.rank" in rows[0] and ">64<" in rows[0]
    rates = json.loads((ROOT / "metrics" / "compare.json").read_text())["anomaly_rate_target"]
    assert page.count(f">{rates['tuned']:.1%}<") == 2
    assert 'src="http' not in page and page.count("<img") == 2


def test_names_that_are_not_there_and_a_single_run_are_one_sentence(project: Path) -> None:
    with pytest.raises(ValueError, match="no branch, commit or experiment 'nowhere'"):
        read_run(project, "nowhere")
    with pytest.raises(ValueError, match="1 run to compare"):
        comparison_page([read_run(project, "main")])


@pytest.mark.slow
def test_it_fits_a_phone(project: Path, tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "runs.html").write_text(comparison_page([read_run(project, name) for name in ("main", "wider")] * 2))
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto((tmp_path / "runs.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()
