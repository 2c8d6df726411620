"""The judges by name: a new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stages.judges.anatomy_judge import AnatomyJudge, Assess
from stages.judges.protocol import Judge


@dataclass(frozen=True)
class JudgeSettings:
    """What a judge may need to be built; each takes what it uses."""

    assess: Assess
    """The anatomy checker."""
    detector: str
    """Its name."""


JUDGES: dict[str, Callable[[JudgeSettings], Judge]] = {
    "anatomy": lambda settings: AnatomyJudge(settings.assess, settings.detector),
}


def make_judge(name: str, settings: JudgeSettings) -> Judge:
    """Build the named judge.

    Raises:
        ValueError: there is no such judge.
    """
    if name not in JUDGES:
        raise ValueError(f"judge {name!r} is not known: choose one of {', '.join(sorted(JUDGES))}")
    return JUDGES[name](settings)
