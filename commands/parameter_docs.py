"""The table of all parameters, generated from the models that validate them."""

from __future__ import annotations

from typing import Annotated, Any, TypeGuard, get_args, get_origin

from pydantic import BaseModel

from anomend.params.params import Params
from anomend.params.types import bounds

HEAD = """# Parameters

Generated from `anomend/params` by `make docs`; do not edit by hand. Every value stands in `params.yaml`; a profile
(`profiles.<name>` there) replaces leaves of it. Change one for an experiment with `dvc exp run -S section.key=value`.
"""


def parameter_docs() -> str:
    """All sections as Markdown tables: key, type, what is allowed, meaning."""
    return "".join([HEAD, *_sections("", Params)])


def _sections(prefix: str, model: type[BaseModel]) -> list[str]:
    """The tables of the sections in a model; a section in a section follows it."""
    parts = []
    for key, field in model.model_fields.items():
        section, name = field.annotation, f"{prefix}{key}"
        if not _is_section(section):
            continue
        rows = {inner: f for inner, f in section.model_fields.items() if not _is_section(f.annotation)}
        parts.append(f"\n## {name}\n\n{' '.join((section.__doc__ or '').split())}\n")
        parts.append("\n| key | type | allowed | meaning |\n|---|---|---|---|\n")
        parts += [
            f"| `{name}.{inner}` | {_type(f.annotation)} | {bounds(f)} | {f.description or ''} |\n"
            for inner, f in rows.items()
        ]
        parts += _sections(f"{name}.", section)
    return parts


def _is_section(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _type(annotation: Any) -> str:
    if choices := [choice for choice in get_args(annotation) if isinstance(choice, str)]:
        return "one of " + ", ".join(f"`{choice}`" for choice in choices)
    if isinstance(annotation, type) and not get_args(annotation):
        return {"int": "integer", "float": "number", "str": "text"}.get(annotation.__name__, annotation.__name__)
    if get_origin(annotation) is dict:
        return "mapping"
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if type(None) in get_args(annotation):
        return " or ".join(_type(inner) if inner is not type(None) else "null" for inner in get_args(annotation))
    return "list"


if __name__ == "__main__":
    print(parameter_docs(), end="")
