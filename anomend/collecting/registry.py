"""The sources by name: a new one is one module with `collect`, a function of the type `Source`, and one row here.

A source's module is imported when it is used, so that a vendor's client is imported only by runs that buy from it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anomend.collecting.image import Source, SourceSettings

SOURCES = {
    "drawn_people": "anomend.collecting.drawn_people",
    "folder": "anomend.collecting.folder",
    "paper": "anomend.collecting.paper",
    "openai": "anomend.collecting.openai_images",
    "base": "anomend.collecting.base_images",
}
"""Module of each source."""


def module_of(name: str) -> str:
    """The module of the named source.

    Raises:
        ValueError: there is no such source.
    """
    if name not in SOURCES:
        raise ValueError(f"there is no source {name!r}: choose one of {', '.join(sorted(SOURCES))}")
    return SOURCES[name]


def find_source(name: str) -> Source:
    """The function `collect` of the named source.

    Raises:
        ValueError: there is no such source.
    """
    source: Source = import_module(module_of(name)).collect
    return source


def check_source(name: str, prompts: Sequence[str], settings: SourceSettings) -> None:
    """What the named source can tell before anything is read or bought: its module's `check`, if it has one.

    Raises:
        ValueError: there is no such source, or it could not be collected from.
    """
    check = getattr(import_module(module_of(name)), "check", None)
    if check is not None:
        check(prompts, settings)
