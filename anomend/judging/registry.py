"""The judges by name: a new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anomend.judging.anatomy_judge import AnatomyJudge, Assess
from anomend.judging.llm_judge import LlmSettings
from anomend.judging.protocol import Judge


@dataclass(frozen=True)
class JudgeSettings:
    """What a judge may need to be built; each takes what it uses."""

    assess: Assess
    """The anatomy checker."""
    detector: str
    """Its name."""
    llm: LlmSettings | None = None
    """How a paid judge is asked; its model is this judge's own."""


def _anthropic(settings: JudgeSettings) -> Judge:
    # The clients take a second each to import, which only those who ask them should wait for.
    from anomend.judging.anthropic_judge import make_anthropic_judge

    return make_anthropic_judge(_llm(settings))


def _openai(settings: JudgeSettings) -> Judge:
    from anomend.judging.openai_judge import make_openai_judge

    return make_openai_judge(_llm(settings))


def _llm(settings: JudgeSettings) -> LlmSettings:
    if settings.llm is None:
        raise ValueError("an LLM judge needs its model: set judge.models")
    return settings.llm


JUDGES: dict[str, Callable[[JudgeSettings], Judge]] = {
    "anatomy": lambda settings: AnatomyJudge(settings.assess, settings.detector),
    "anthropic": _anthropic,
    "openai": _openai,
}
KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
"""Environment variables of the paid judges' keys."""


def make_judge(name: str, settings: JudgeSettings) -> Judge:
    """Build the named judge.

    Raises:
        ValueError: there is no such judge.
    """
    if name not in JUDGES:
        raise ValueError(f"judge {name!r} is not known: choose one of {', '.join(sorted(JUDGES))}")
    return JUDGES[name](settings)
