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
    return sha256_of("\x1f".join(parts))


def _describe(value: object, parts: list[str]) -> None:
    """Append the texts that say what a node, a list of nodes, or a plain value is.

    Whether a name is read or written (`ctx`) follows from its place, and is left out.
    """
    if isinstance(value, ast.AST):
        parts.append(value.__class__.__name__)
        for name in value._fields:
            field = getattr(value, name, None)
            if field is None or field == [] or name == "ctx":
                continue
            if name == "body" and field.__class__ is list:
                field = [statement for statement in field if not _is_text(statement)]
            parts.append(name)
            _describe(field, parts)
        parts.append(")")
    elif value.__class__ is list:
        parts.append("[")
        for item in value:  # type: ignore[attr-defined]
            _describe(item, parts)
        parts.append("]")
    else:
        parts.append(value.__class__.__name__)
        parts.append(repr(value))


def _is_text(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
