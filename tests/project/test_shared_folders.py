"""Folders that all checkouts of a project share."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from anomend.project.shared_folders import shared_folder


@pytest.mark.parametrize("copy", [".", ".dvc/tmp/exps/tmpabc", ".dvc/tmp/exps/standalone/tmpabc"])
def test_an_experiment_of_dvc_uses_the_folder_of_its_project(tmp_path: Path, copy: str) -> None:
    assert shared_folder(tmp_path / copy, "paid") == tmp_path.resolve() / "paid"
    assert shared_folder(tmp_path / copy, "paid", "/elsewhere") == Path("/elsewhere")


def test_a_worktree_uses_the_folder_of_the_main_checkout(tmp_path: Path) -> None:
    project, worktree = tmp_path / "a project", tmp_path / "worktree"
    for command in (
        ["init", "-q", str(project)],
        ["-C", str(project), "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m", "--allow-empty"],
        ["-C", str(project), "worktree", "add", "-q", str(worktree)],
    ):
        subprocess.run(["git", *command], check=True)
    assert shared_folder(worktree, "samples") == project.resolve() / "samples"
    # An experiment that runs in a copy of the worktree.
    assert shared_folder(worktree / ".dvc/tmp/exps/tmpabc", "samples") == project.resolve() / "samples"


def test_a_submodule_has_folders_of_its_own(tmp_path: Path) -> None:
    module = tmp_path / "module"
    module.mkdir()
    (module / ".git").write_text("gitdir: ../.git/modules/module\n")
    assert shared_folder(module, "samples") == module.resolve() / "samples"
