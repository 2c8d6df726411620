"""Files that neither git nor DVC brings into a copy of the project: fetched networks, local bases, private pictures."""

from __future__ import annotations

from pathlib import Path

from anomend.project.shared_folders import main_checkout


def found(path: Path | str, project: Path = Path()) -> Path:
    """A file or folder of the project; where an experiment's copy or a worktree lacks it, that of the main checkout.

    DVC makes the copies of queued and temporary experiments of what git and DVC track.

    Args:
        path: relative to the project's root, absolute, or with `~`.
        project: the project's root; a stage runs there.

    Returns:
        Where it is; if it is nowhere, where it would be in the project.
    """
    named = Path(path).expanduser()
    here = project / named
    if named.is_absolute() or _has_content(here):
        return here
    elsewhere = main_checkout(project) / named
    return elsewhere if _has_content(elsewhere) else here


def _has_content(path: Path) -> bool:
    """Whether a file is there, or a folder with more than what git and DVC note in it."""
    if not path.is_dir():
        return path.exists()
    return any(not each.name.startswith(".") and each.suffix != ".dvc" for each in path.iterdir())
