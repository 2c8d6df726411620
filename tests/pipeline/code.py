"""A copy of the code whose files tests change."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

from tests.conftest import ROOT

LOCKS = [path.relative_to(ROOT) for path in sorted([*ROOT.glob("*.lock"), *ROOT.glob("requirements/*.lock")])]
COPIED = ("anomend", "stages", "profiles")


def copy_code(folder: Path) -> Path:
    """The code, dvc.yaml and the lock files in a folder of their own."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "dvc.yaml", folder)
    for lock in LOCKS:
        (folder / lock).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / lock, folder / lock)
    return folder


LOCKS = [
    path.relative_to(ROOT) for path in sorted([*ROOT.glob("requirements*.lock"), *ROOT.glob("requirements/*.lock")])
]


def change_a_constant(path: Path) -> None:
    """Change one number or text of a file that does something; where there is none, add a statement."""
    source = path.read_text(encoding="utf-8")
    lines = source.encode().splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.lineno == node.end_lineno:
            line = lines[node.lineno - 1]
            lines[node.lineno - 1] = line[: node.col_offset] + b"8251.0" + line[node.end_col_offset :]
            path.write_bytes(b"".join(lines))
            ast.parse(path.read_text(encoding="utf-8"))
            return
    path.write_text(f"{source}\n_ADDED = 1\n", encoding="utf-8")


def change_comments_and_docstrings(path: Path) -> None:
    """Reword everything in a file that does nothing."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            value = first.value if isinstance(first, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                value.value = "Another description."
    # `unparse` drops all comments and lays the code out anew.
    path.write_text(f"# A comment.\n{ast.unparse(tree)}\n# Another.\n", encoding="utf-8")
