"""Links to the files and folders that parameters name: DVC compares what they lead to, and then runs `resolve` again.

They are outputs of `resolve`, in `resolved/links/`, which is itself a link to one of two folders:

- `resolved/shared/`, which git keeps, where every input is in a folder that each clone has (`IN_EVERY_CLONE`). So a
  clone has the links too, and DVC finds nothing changed in it. A link leads to that folder and not to the input in it,
  because DVC stops at a link that leads nowhere, as one to private pictures would in a colleague's clone.
- `resolved/local/`, which git ignores, as soon as one input is elsewhere, such as in a folder outside the project. In a
  colleague's clone these links are missing, which DVC reports as a change of `resolve`; the next run makes them.

git sees only links whose targets change: DVC cannot stash a link that takes the place of a folder, or of a file in it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from anomend.params.params import Params
from anomend.pipeline.inputs import named_inputs
from anomend.project.checkouts import found
from anomend.project.files import write_whole, written_whole
from anomend.project.paths import INPUT_LINKS
from anomend.project.shared_folders import main_checkout

IN_EVERY_CLONE = tuple(
    Path(folder) for folder in ("data/labels", "data/own", "data/prompts", "data/suites", "data/survey", "models/mini")
)
"""Folders for inputs of which git keeps at least one file."""
SHARED, LOCAL = INPUT_LINKS.with_name("shared"), INPUT_LINKS.with_name("local")
NOT_IN_USE, NOT_HERE = "not_in_use", "not_here"
"""What the link of an input leads to that this run does not read, or that is not on this machine."""


def link_inputs(root: Path, params: Params) -> None:
    """Leave a link for each input, for DVC to compare.

    Args:
        root: the project.
        params: the parameters in force.
    """
    targets = {parameter: _target(root, named) for parameter, named in named_inputs(params).items()}
    kept = {str(_absolute(root / folder)) for folder in IN_EVERY_CLONE} | {NOT_IN_USE, NOT_HERE}
    shared = kept.issuperset(targets.values())
    # The links of this machine always: an experiment that ran in a copy may lead to them once it is applied here.
    for folder in (LOCAL, SHARED) if shared else (LOCAL,):
        for name, text in ((NOT_IN_USE, "not in use\n"), (NOT_HERE, "not on this machine\n")):
            write_whole(root / folder / name, text, durable=False)
        for parameter, target in targets.items():
            _link(root / folder / parameter, _relative(root, target))
    _link(root / INPUT_LINKS, (SHARED if shared else LOCAL).name)


def remove_broken_links(root: Path) -> list[str]:
    """Delete links that lead nowhere, at which DVC stops; the parameters of their inputs."""
    broken = [path for path in sorted((root / INPUT_LINKS).glob("*")) if path.is_symlink() and not path.exists()]
    for path in broken:
        path.unlink()
    return [path.name for path in broken]


def _target(root: Path, named: str | None) -> str:
    """What an input's link leads to: an absolute path, or the name of a file that says why there is none."""
    if named is None:
        return NOT_IN_USE
    path = _absolute(found(named, root))
    for checkout in (root, main_checkout(root)):
        for folder in IN_EVERY_CLONE:
            if path.is_relative_to(whole := _absolute(checkout / folder)):
                path = whole
    return str(path) if path.exists() else NOT_HERE


def _relative(root: Path, target: str) -> str:
    """Within the project a relative path, so that a copy of the project has its own input."""
    inside = Path(target).is_relative_to(_absolute(root))
    return os.path.relpath(target, _absolute(root / SHARED)) if inside else target


def _absolute(path: Path) -> Path:
    """Without `..`, and without following links."""
    return Path(os.path.normpath(path.absolute()))


def _link(path: Path, target: str) -> None:
    """Make `path` a link to `target`, in one step."""
    if path.is_symlink() and str(path.readlink()) == target:
        return
    if path.is_dir() and not path.is_symlink():  # A copy of the project whose links were followed.
        shutil.rmtree(path)
    with written_whole(path, durable=False) as partial:
        partial.symlink_to(target)
