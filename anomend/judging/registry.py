"""The judges by name: a new one is one module here with `make_judge(settings: JudgeSettings) -> Judge`, and one row.

A judge's module is imported when the judge is made, so that a vendor's client is imported only by runs that use it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anomend.judging.protocol import Judge
    from anomend.judging.settings import JudgeSettings

JUDGES = {
    "anatomy": "anomend.judging.anatomy_judge",
    "anthropic": "anomend.judging.anthropic_judge",
    "openai": "anomend.judging.openai_judge",
}
"""Module of each judge."""
PAID_JUDGES = ("anthropic", "openai")
"""Judges that cost money."""


def module_of(name: str) -> str:
    """The module of the named judge.

    Raises:
        ValueError: there is no such judge.
    """
    if name not in JUDGES:
        raise ValueError(f"there is no judge {name!r}: choose one of {', '.join(sorted(JUDGES))}")
    return JUDGES[name]


def make_judge(name: str, settings: JudgeSettings) -> Judge:
    """Make the named judge.

    Raises:
        ValueError: there is no such judge, or it cannot be made from these settings.
    """
    judge: Judge = import_module(module_of(name)).make_judge(settings)
    return judge
