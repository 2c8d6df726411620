"""Who has taken part and how far: what the researcher sees while a survey or labels are under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

import pandas as pd

from anomend.labelling.counting import RaterRules, excluded_raters
from anomend.surveying.desks import Desk
from anomend.surveying.exclusion import ExclusionRules, excluded_participants
from anomend.surveying.journals import journal_rows
from anomend.surveying.responses import COLUMNS
from anomend.surveying.survey_desk import SurveyDesk

Rows = Sequence[Mapping[str, Any]]
Excluded = Callable[[Rows], str]
"""Why the count leaves somebody out, by the answers so far; empty if it does not."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """One line of the overview."""

    code: str
    link: str
    """own, or shared: the link for all."""
    state: str
    """not begun, under way, stopped, finished, withdrawn."""
    answered: int
    asked: int
    last: str
    """Time of the last answer, UTC."""
    median_s: float | None
    """Median seconds of an answer."""
    language: str
    excluded: str
    """Why the count leaves this person out; empty if it does not."""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All people, and how many places of the link for all are taken."""

    people: list[Person]
    places: tuple[int, int] | None
    """Taken, and all; None: there is no link for all."""

    @property
    def counts(self) -> dict[str, int]:
        """Number of people by state."""
        return dict(Counter(person.state for person in self.people))


def overview(desk: Desk, *, excluded: Excluded, idle_minutes: float, now: datetime) -> Overview:
    """What is known now.

    Args:
        desk: of the survey or of labels.
        excluded: see `Excluded`.
        idle_minutes: minutes without an answer after which somebody has stopped.
        now: the time, UTC.
    """
    entrance = desk.entrance if isinstance(desk, SurveyDesk) else None
    came = entrance.codes if entrance else []
    people = [
        _person(desk, code, link, excluded=excluded, idle_minutes=idle_minutes, now=now)
        for link, codes in (("own", desk.codes), ("shared", came))
        for code in codes
    ]
    return Overview(people=people, places=(entrance.taken(), entrance.quota) if entrance else None)


def _person(desk: Desk, code: str, link: str, *, excluded: Excluded, idle_minutes: float, now: datetime) -> Person:
    path = desk.journal(code)
    rows, asked = journal_rows(path), desk.asked(code) or 0
    last = datetime.fromtimestamp(path.stat().st_mtime, UTC) if rows else None
    times = [float(row["reaction_ms"] if "reaction_ms" in row else row["milliseconds"]) for row in rows]
    state = "under way" if last else "not begun"
    if desk.withdrawn(code):
        state = "withdrawn"
    elif asked and len(rows) >= asked:
        state = "finished"
    elif last and (now - last).total_seconds() > 60 * idle_minutes:
        state = "stopped"
    return Person(
        code=code,
        link=link,
        state=state,
        answered=len(rows),
        asked=asked,
        last=last.strftime("%Y-%m-%d %H:%M") if last else "",
        median_s=median(times) / 1000 if times else None,
        language=rows[-1]["texts"].partition("-")[0] if rows else "",
        excluded=excluded(rows) if rows else "",
    )


def survey_exclusion(rules: ExclusionRules) -> Excluded:
    """Why the survey's count leaves somebody out."""

    def why(rows: Rows) -> str:
        table = pd.DataFrame([*rows], columns=list(COLUMNS))
        out = excluded_participants(table, rules)
        reasons = {"catch": "catch pairs failed", "speed": "too fast"}
        return ", ".join(reasons[name] for name in reasons if len(out) and out[name].iloc[0])

    return why


def label_exclusion(rules: RaterRules) -> Excluded:
    """Why the count of labels leaves somebody out."""

    def why(rows: Rows) -> str:
        out = excluded_raters(pd.DataFrame([*rows]), rules)
        reasons = {"gold": "gold pictures failed", "speed": "too fast"}
        return ", ".join(reasons[name] for name in reasons if len(out) and out[name].iloc[0])

    return why
