"""The table of all parameters, generated from the models that validate them."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stages.params import Params

HEAD = """# Parameters

Generated from `stages/params.py` by `make docs`; do not edit by hand. Every value stands in `params.yaml`; a profile
(`profiles.<name>` there) replaces leaves of it. Change one for an experiment with `dvc exp run -S section.key=value`.
"""

_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}


def parameter_docs() -> str:
    """All sections as Markdown tables: key, type, what is allowed, meaning."""
    parts = [HEAD]
    for name, section in Params.model_fields.items():
        model = section.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            continue
        parts.append(f"\n## {name}\n\n{(model.__doc__ or '').strip()}\n")
        parts.append("\n| key | type | allowed | meaning |\n|---|---|---|---|\n")
        parts += [
            f"| `{name}.{key}` | {_type(field.annotation)} | {_allowed(field)} | {field.description or ''} |\n"
            for key, field in model.model_fields.items()
        ]
    return "".join(parts)


def _type(annotation: Any) -> str:
    if choices := [choice for choice in get_args(annotation) if isinstance(choice, str)]:
        return "one of " + ", ".join(f"`{choice}`" for choice in choices)
    if isinstance(annotation, type) and not get_args(annotation):
        return {"int": "integer", "float": "number", "str": "text"}.get(annotation.__name__, annotation.__name__)
    if type(None) in get_args(annotation):
        return " or ".join(_type(inner) if inner is not type(None) else "null" for inner in get_args(annotation))
    return "list"


def _allowed(field: FieldInfo) -> str:
    limits = [
        f"{words} {getattr(bound, name)}"
        for bound in field.metadata
        for name, words in _BOUNDS.items()
        if getattr(bound, name, None) is not None
    ]
    return ", ".join(limits)


if __name__ == "__main__":
    print(parameter_docs(), end="")
