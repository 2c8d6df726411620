"""What DVC shows of a run fits a terminal, draws each chart once, and leaves the side pipelines out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clones import run
from tests.conftest import ROOT

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
RESTORED = {"against", "collect", "curate", "train", "measure", "judge", "survey", "label", "agreement"}
"""Stages that DVC restores from its run cache. Those with images that persist take them from the store of samples."""


def declared(stage: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Path -> options of the outputs of one kind."""
    entries = [entry if isinstance(entry, dict) else {entry: {}} for entry in stage.get(kind, [])]
    return {path: options or {} for entry in entries for path, options in entry.items()}


def lists(content: Any) -> Iterator[list[Any]]:
    """The lists that DVC looks for points of a chart in: values of objects, not of lists."""
    for value in content.values() if isinstance(content, dict) else ():
        yield from [value] if isinstance(value, list) else lists(value)


def test_one_file_is_the_metrics() -> None:
    assert [path for stage in PIPELINE["stages"].values() for path in declared(stage, "metrics")] == [
        "metrics/headline.json"
    ]
    assert "metrics" not in PIPELINE


@pytest.mark.parametrize("name", sorted(RESTORED))
def test_no_output_switches_the_run_cache_of_a_stage_off(name: str) -> None:
    """DVC 3.67 stores no run of a stage with a git-kept file under `outs`, nor with one that persists."""
    outs = declared(PIPELINE["stages"][name], "outs")
    assert not any(options.get("cache") is False or options.get("persist") for options in outs.values())


def test_seconds_and_memory_are_not_in_git() -> None:
    assert run(ROOT, "git", "check-ignore", "metrics/resources/train.json").stdout
    assert not run(ROOT, "git", "ls-files", "metrics/resources").stdout


def widest(text: str) -> int:
    return max(len(line.rstrip()) for line in text.splitlines())


@pytest.mark.slow
class TestOfARun:
    """On one shrunk run that is committed, and another that differs."""

    @pytest.fixture(scope="class")
    def project(self, reproduced_copy: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = reproduced_copy(tmp_path_factory.mktemp("views") / "a project")
        run(folder, "git", "add", "-A")
        run(folder, "git", "commit", "-qm", "results")
        return folder

    @pytest.fixture(scope="class")
    def changed(self, project: Path) -> Path:
        """The project after an experiment, whose results are in the working tree."""
        run(project, "dvc", "exp", "run", "-q", "-n", "fewer", "-S", "sample.target_seeds_per_prompt=5")
        return project

    def test_json_that_is_declared_as_a_plot_draws_no_chart(self, project: Path) -> None:
        for stage in PIPELINE["stages"].values():
            for path in (path for path in declared(stage, "plots") if path.endswith(".json")):
                for model in ("base", "tuned"):
                    content = json.loads((project / path.replace("${item.model}", model)).read_text())
                    assert all(each and not isinstance(each[0], dict) for each in lists(content)), path

    def test_the_metrics_fit_a_terminal(self, changed: Path) -> None:
        shown = run(changed, "dvc", "metrics", "show").stdout
        assert "headline.json" in shown and len(shown.splitlines()) <= 20 and widest(shown) <= 120
        content = json.loads((changed / "metrics/headline.json").read_text())
        assert {name for name, value in content.items() if isinstance(value, str | int | float)} <= set(shown.split())

    def test_what_changed_in_an_experiment_fits_a_terminal(self, changed: Path) -> None:
        for command in (["metrics", "diff"], ["exp", "show", "--only-changed", "--no-pager"]):
            shown = run(changed, "env", "COLUMNS=120", "dvc", *command).stdout
            assert "change" in shown and "pairs" in shown and widest(shown) <= 120, shown
        assert "fewer" in shown

    def test_each_chart_is_drawn_once_and_the_deciding_one_first(self, changed: Path) -> None:
        done = run(changed, "dvc", "plots", "diff", "HEAD")
        assert not re.search("WARNING|ERROR|failed", done.stderr + done.stdout), done.stderr
        page = (changed / "dvc_plots" / "index.html").read_text()
        titles = re.findall(r'"title": \{"text": "([^"]+)"', page)
        assert titles[0].startswith("Anomaly rate by prompt") and len(titles) == len(set(titles)), titles
        assert any("loss.tsv" in title for title in titles)

    def test_a_colleague_pulls_and_everything_is_as_it_was_committed(self, project: Path, tmp_path: Path) -> None:
        run(project, "dvc", "remote", "add", "-d", "-q", "-f", "shared", str(tmp_path / "remote"))
        run(project, "git", "commit", "-qam", "remote")
        run(project, "dvc", "push", "-q")
        clone = tmp_path / "a clone"
        run(tmp_path, "git", "clone", "-q", str(project), str(clone))
        run(clone, "dvc", "pull", "-q")
        run(clone, "dvc", "status", "-q")
        assert run(clone, "dvc", "status").stdout.strip() == "Data and pipelines are up to date."
        listed = run(clone, "dvc", "stage", "list", "--all", "--name-only").stdout
        assert "train" in listed and not any(name in listed for name in ("pretraining", "replication", "scan"))
