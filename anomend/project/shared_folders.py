"""Folders that all checkouts of a project share, outside git and DVC: what they hold costs money or hours."""

from __future__ import annotations

from pathlib import Path


def main_checkout(project: Path) -> Path:
    """The checkout that the user cloned, for any copy of it.

    DVC runs queued and temporary experiments in copies below `.dvc/tmp/exps`. A git worktree's `.git` is a file that
    names a folder below the main checkout's `.git/worktrees`.
    """
    root = project.resolve()
    for folder in (root, *root.parents):
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return main_checkout(folder.parents[2])
    link = root / ".git"
    if link.is_file():
        text = link.read_text(encoding="utf-8").strip().removeprefix("gitdir:").strip()
        git_folder = (root / text).resolve()
        if git_folder.parent.name == "worktrees":
            return git_folder.parents[2]
    return root


def shared_folder(project: Path, name: str, named: str | None = None) -> Path:
    """A folder of the main checkout, or the one that the user names.

    Args:
        project: the root of a checkout, of an experiment's copy, or of a worktree.
        name: the folder's name in the main checkout.
        named: another folder, as the user sets it; None: none.
    """
    return Path(named).expanduser() if named else main_checkout(project) / name
