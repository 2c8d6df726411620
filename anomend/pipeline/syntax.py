"""A digest of what Python code says: equal for files that differ in comments, docstrings and layout alone."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from anomend.pipeline.imports import parse
from anomend.project.files import sha256_of


def code_digest(path: Path) -> str:
    """Digest of a file's syntax tree without comments, docstrings and positions.

    Texts that stand alone as statements do nothing, wherever they are, and are left out: attributes are described so.
    The digest is the same under every supported version of Python: fields that are empty, among them those that newer
    versions added, are left out, which `ast.dump` does in some versions only.

    Raises:
        ValueError: the file is not valid Python.
    """
    return _digest(parse(path))


@cache
def _digest(tree: ast.Module) -> str:
    parts: list[str] = []
    _describe(tree, parts)
    return sha256_of("".join(parts))


def _describe(value: object, parts: list[str]) -> None:
    """Append the texts that say what a node, a list of nodes, or a plain value is."""
    if isinstance(value, ast.AST):
        parts.append(f"({type(value).__name__}")
        for name in value._fields:
            field = getattr(value, name, None)
            if name == "body" and isinstance(field, list):
                field = [statement for statement in field if not _is_text(statement)]
            if field is not None and field != []:
                parts.append(f" {name}=")
                _describe(field, parts)
        parts.append(")")
    elif isinstance(value, list):
        for item in value:
            _describe(item, parts)
            parts.append(",")
    else:
        parts.append(f"{type(value).__name__}:{value!r}")


def _is_text(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
