"""Which of the project's own modules a module imports, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

OWN = ("anomend", "stages", "commands", "studies")


def imported(path: Path, seen: set[Path] | None = None) -> Iterator[Path]:
    """The project's own files that a file imports, directly or not, at its top or in a function; itself included.

    Files that hold nothing but a docstring are left out. Imports by a name that is made at run time are not seen.
    """
    seen = set() if seen is None else seen
    if path in seen:
        return
    seen.add(path)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if any(not isinstance(node, ast.Expr) for node in tree.body):
        yield path
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OWN:
            base = ROOT.joinpath(*node.module.split("."))
            yield from imported(_file(base), seen)
            for name in node.names:
                if base.is_dir() and _file(base / name.name).is_file():
                    yield from imported(_file(base / name.name), seen)


def _file(module: Path) -> Path:
    return module / "__init__.py" if module.is_dir() else module.with_suffix(".py")
