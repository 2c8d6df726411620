"""The comment on a pull request: a changed threshold, a loosened one, stale results, other evidence, a fork."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from anomend.params.resolved import split
from anomend.pipeline.resolved_files import as_text
from anomend.reporting.pull_request import LIMIT, MARKER, moved_measures, pull_request_comment
from anomend.reporting.rule_changes import rule_changes
from tests.clones import clone, run, set_params
from tests.conftest import ROOT
from tests.parameters import params_of, user_params

pytestmark = pytest.mark.usefixtures("warm_interpreter")
BLOB = "https://github.com/owner/name/blob/abc"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose branch `main` has the committed results."""
    folder = clone(tmp_path_factory.mktemp("pull_request"), {})
    run(folder, "git", "branch", "-m", "main")
    shutil.copy(ROOT / "dvc.lock", folder)
    (folder / "resolved" / "params.json").write_text(as_text(split(params_of(user_params()))[0]))
    (folder / "report" / "changes.png").write_bytes((folder / "report" / "side_by_side.png").read_bytes())
    shutil.copytree(ROOT / "confirmations", folder / "confirmations", dirs_exist_ok=True)
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "results")
    return folder


def comment(folder: Path, changes: dict[str, dict[str, Any]], **options: Any) -> str:
    """The comment while these parameters are set in params.yaml."""
    before = (folder / "params.yaml").read_text()
    set_params(folder, changes)
    try:
        return pull_request_comment(folder, **{"base": "main", "images": BLOB} | options)
    finally:
        (folder / "params.yaml").write_text(before)


def before_the_fold(text: str) -> list[str]:
    return text.partition("<details>")[0].splitlines()


def test_a_changed_threshold_is_named_with_its_direction(project: Path) -> None:
    text = comment(project, {"verdict": {"max_target_rate": 0.05}})
    assert "| verdict.max_target_rate | 0.15 | 0.05 | stricter |" in text and "looser" not in text
    assert text.startswith("## ✓ Corrected") and "The results belong to this commit." in text
    assert len(before_the_fold(text)) <= 40


def test_a_loosened_threshold_comes_first_and_is_pointed_out(project: Path) -> None:
    loosened = {"min_target_drop": 0.1, "max_target_rate": 0.05, "min_diversity_ratio": 0.6}
    text = comment(project, {"verdict": loosened})
    assert re.search(r"differ from main \([0-9a-f]{8,}\): some are looser", text)
    rules = [line for line in text.splitlines() if line.startswith("| verdict.")]
    assert [line.split(" | ")[0] for line in rules if "⚠ looser" in line] == [
        "| verdict.min_target_drop",
        "| verdict.min_diversity_ratio",
    ]
    assert "⚠" in rules[0] and "⚠" in rules[1] and "stricter" in rules[2]


def test_stale_results_are_the_first_line_and_no_verdict_is_printed(project: Path) -> None:
    """Through the command, which asks `check_results` itself: params.yaml changed, nothing ran."""
    before = (project / "params.yaml").read_text()
    set_params(project, {"verdict": {"max_target_rate": 0.3}})
    words = [sys.executable, "-m", "commands.pull_request_comment", "--base", "main", "--out", "comment.md"]
    try:
        subprocess.run(words, cwd=project, capture_output=True, text=True, check=True)
    finally:
        (project / "params.yaml").write_text(before)
    text = (project / "comment.md").read_text()
    assert text.startswith("## Stale: the committed results do not belong to this commit\n")
    assert "orrected" not in text and "wrong before" not in text and "![" not in text
    assert "resolved/params.json does not belong to params.yaml" in text
    assert "| verdict.max_target_rate | 0.15 | 0.3 | ⚠ looser |" in text
    assert len(before_the_fold(text)) <= 40


def test_other_evidence_and_other_seeds_are_named(project: Path) -> None:
    text = comment(project, {"verdict": {"evidence": "people"}, "sample": {"first_seed": 31_000}})
    assert "| verdict.evidence | detector | people | changed |" in text
    assert "| sample.first_seed | 20000 | 31000 | changed |" in text


def test_a_fork_gets_the_same_text_as_the_summary_of_the_job() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "pull-request.yml").read_text())["jobs"]
    steps = {step.get("name"): step for step in jobs["report"]["steps"]}
    assert "head.repo.full_name == github.repository" in steps["Comment"]["if"]
    assert steps["Show it"]["if"] == "always()" and "GITHUB_STEP_SUMMARY" in steps["Show it"]["run"]
    assert "pull_request.md" in steps["Show it"]["run"] and "pull_request.md" in steps["Comment"]["run"]
    assert "/blob/" in steps["Write the report"]["env"]["IMAGES"]


def test_an_unchanged_branch_says_so_and_shows_pictures_that_a_private_repository_shows(project: Path) -> None:
    text = comment(project, {})
    assert re.search(r"No threshold, level, evidence, prompt or seed range differs from main \([0-9a-f]{8,}\)\.", text)
    assert "beyond the noise of both runs." in text and len(text) <= LIMIT
    assert f"![Newly broken and fixed]({BLOB}/report/changes.png?raw=true)" in text
    assert text.rstrip().endswith(MARKER) and len(before_the_fold(text)) <= 40


def test_a_tuned_model_that_is_not_just_a_lora_is_named(project: Path) -> None:
    path = project / "metrics" / "sample_tuned.json"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | {"tuned_model": "The tuned model is the base, the best of 4."}))
    try:
        assert "The tuned model is the base, the best of 4." in "\n".join(before_the_fold(comment(project, {})))
    finally:
        path.write_text(before)


def test_only_what_leaves_the_noise_of_both_runs_has_moved() -> None:
    def run_of(delta: float, width: float) -> dict[str, Any]:
        return {"x_rate": {"base": 0.5, "tuned": 0.5 + delta, "delta": delta, "ci_low": delta - width}
                | {"ci_high": delta + width, "better": "lower"}}  # fmt: skip

    # Half-widths of 3 and 4 points: 5 together.
    assert not moved_measures(run_of(-0.2, 0.03), run_of(-0.249, 0.04))
    (moved,) = moved_measures(run_of(-0.2, 0.03), run_of(-0.251, 0.04))
    assert moved.before.startswith("-20.0 points (-23.0 to -17.0 points)")
    assert not moved_measures({}, run_of(-0.2, 0.03))


def test_a_clause_that_is_switched_off_is_looser() -> None:
    on, off = ({"verdict": {"min_preference": value}} for value in (0.6, None))
    assert [change.direction for change in rule_changes(on, off)] == ["looser"]
    assert [change.direction for change in rule_changes(off, on)] == ["stricter"]


def test_a_report_that_is_too_long_is_linked(project: Path) -> None:
    report = project / "report" / "report.md"
    before = report.read_text()
    report.write_text("x" * LIMIT)
    try:
        assert "It is `report/report.md` of this commit." in comment(project, {})
    finally:
        report.write_text(before)


def test_an_unknown_base_is_one_sentence(project: Path) -> None:
    with pytest.raises(ValueError, match="no revision 'nowhere'"):
        pull_request_comment(project, base="nowhere", images=".")


def test_the_comment_is_written_in_the_place_of_its_own(tmp_path: Path) -> None:
    """With a `gh` that notes what it is asked, and knows one comment of a bot with the marker, or none."""
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\necho "$@" >> log\ncase "$*" in *--paginate*) cat answer ;; esac\n')
    gh.chmod(0o755)
    (tmp_path / "text.md").write_text(f"text\n\n{MARKER}\n")
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NUMBER": "7", "REPOSITORY": "owner/name"}
    for answer, expected in (("", "pr comment 7"), ("41\n42\n", "--method PATCH repos/owner/name/issues/comments/41")):
        (tmp_path / "answer").write_text(answer)
        (tmp_path / "log").unlink(missing_ok=True)
        words = [str(ROOT / ".ci" / "comment"), "text.md"]
        subprocess.run(words, cwd=tmp_path, env=environment, check=True, capture_output=True)
        asked, written = (tmp_path / "log").read_text().splitlines()
        assert "repos/owner/name/issues/7/comments" in asked and expected in written


def test_what_is_not_met_comes_before_the_figures_and_a_confirmation_of_another_lora_is_told(project: Path) -> None:
    path, train = project / "metrics" / "verdict.json", project / "metrics" / "train.json"
    kept = {each: each.read_text() for each in (path, train)}
    verdict = json.loads(kept[path])
    decides = "The detector decides."
    why = "The share of tuned target images that copy a training image is 50.0%: at most 10.0% was asked for."
    path.write_text(json.dumps({**verdict, "verdict": "not_corrected", "decides": decides, "reasons": [decides, why]}))
    train.write_text(json.dumps(json.loads(kept[train]) | {"lora_sha256": "0" * 64}))
    record = json.loads((ROOT / "confirmations" / "002.json").read_text())
    try:
        text = comment(project, {})
        # The committed LoRA is another one on a processor of another kind.
        path.write_text(kept[path])
        train.write_text(json.dumps(json.loads(kept[train]) | {"lora_sha256": record["lora_sha256"]}))
        of_this_lora = comment(project, {})
    finally:
        for each, before in kept.items():
            each.write_text(before)
    lines = before_the_fold(text)
    assert lines[0] == "## ✗ Not corrected; ✓ Corrected on main" and len(lines) <= 40
    assert lines.index(f"- **{why}**") < next(n for n, line in enumerate(lines) if line.startswith("- Target prompts"))
    assert "The detector decides." in lines[2] and "another than on main" in lines[2]
    assert "Confirmation 2 of another LoRA, " in text
    confirmed = json.loads((ROOT / "confirmations" / "002" / "verdict.json").read_text())["clauses"]["target_rate"]
    line = f"level 0.9875: corrected, {confirmed['figure']:.1%} wrong after (at most "
    line += f"{math.ceil(1000 * confirmed['bound']) / 10}% with 98.75% confidence)."
    assert f"Confirmation 2 of this LoRA, at the {line}" in of_this_lora


def test_what_the_tuned_model_is_and_who_decides_are_said_once_each(project: Path) -> None:
    path, sampled = project / "metrics" / "verdict.json", project / "metrics" / "sample_tuned.json"
    kept = {each: each.read_text() for each in (path, sampled)}
    decides, tuned, why = "The detector decides.", "The best of 4 images by a detector.", "Copies are 50.0%."
    try:
        sampled.write_text(json.dumps(json.loads(kept[sampled]) | {"tuned_model": tuned}))
        for outcome, clauses in (("not_corrected", [why]), ("corrected", [])):
            verdict = json.loads(kept[path]) | {"verdict": outcome, "decides": decides}
            path.write_text(json.dumps(verdict | {"reasons": [tuned, decides, *clauses]}))
            text = "\n".join(before_the_fold(comment(project, {})))
            assert text.count(decides) == text.count(tuned) == 1 and text.count(why) == len(clauses)
    finally:
        for each, before in kept.items():
            each.write_text(before)


def test_where_people_decide_the_rates_are_theirs(project: Path) -> None:
    paths = [project / "metrics" / name for name in ("verdict.json", "people.json")]
    kept = {each: each.read_text() for each in paths}
    rate = {"base": 0.5, "tuned": 0.25, "delta": -0.25, "ci_low": -0.375, "ci_high": -0.125}
    for each, change in zip(paths, ({"evidence": "people"}, {"anomaly_rate_target": rate}), strict=True):
        each.write_text(json.dumps(json.loads(kept[each]) | change))
    try:
        text = comment(project, {})
    finally:
        for each, before in kept.items():
            each.write_text(before)
    line = "- Target prompts: 50.0% wrong before, 25.0% after (-25.0 points; interval -37.5 to -12.5 points)"
    assert line in text.splitlines()
