"""One link for all: who comes with an id of a platform, such as Prolific's, gets a code, as long as there is room.

The code is a keyed hash (HMAC-SHA-256) of the survey and the id: the same person always has the same one, and nobody
without the key can tell who it is. The id itself is used for that and kept nowhere; a file `entries` has the codes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from pydantic import Field

from anomend.surveying.journals import add_to_journal, journal_rows
from anomend.surveying.submissions import Strict, SubmissionError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")
NO_ID = ("ASSIGNMENT_ID_NOT_AVAILABLE",)
"""What MTurk writes in place of an id, while somebody only looks at a task."""


class EntryRequest(Strict):
    """What the page sends: the ids in the address, by parameter."""

    ids: dict[str, str] = Field(max_length=16)


@dataclass(frozen=True)
class Admission:
    """What is answered to who comes."""

    state: Literal["open", "full"]
    code: str = ""


@dataclass
class Entrance:
    """Who came by the link for all."""

    survey: str
    """Name of the survey: another one gives other codes."""
    path: Path
    """The file of entries, JSON lines: survey, code, plan, entered, sessions."""
    secret: bytes
    """Key of the hashes."""
    participant_ids: Sequence[str]
    session_ids: Sequence[str]
    quota: int
    idle: timedelta
    """Time without an answer after which an unfinished participant's place is free again."""
    plans: Sequence[str]
    """Codes whose plans are given out."""
    progress: Callable[[str], tuple[str, datetime | None]]
    """State of a code (`desks.State`), and when its last answer came."""
    now: Callable[[], datetime]
    _plans: dict[str, str] = field(default_factory=dict)
    _entered: dict[str, datetime] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        for row in journal_rows(self.path):
            if row["survey"] == self.survey:
                self._plans[row["code"]] = row["plan"]
                self._entered[row["code"]] = datetime.fromisoformat(row["entered"])

    @property
    def names(self) -> list[str]:
        """Parameters of the address that the page may send."""
        return [*self.participant_ids, *self.session_ids]

    @property
    def codes(self) -> list[str]:
        """Of those who came."""
        return list(self._plans)

    def plan_of(self, code: str) -> str | None:
        """The code whose plan somebody who came sees; None: nobody came with this code."""
        return self._plans.get(code)

    def code_of(self, identity: str) -> str:
        """The code of a platform's id."""
        return base64.b32encode(self._hash(self.survey, identity)).decode().lower()[:13]

    def enter(self, ids: Mapping[str, str]) -> Admission:
        """Admit somebody, or again.

        Raises:
            SubmissionError: no participant's id is given, or it cannot be one.
        """
        identity = next((ids[name] for name in self.participant_ids if ids.get(name)), "")
        if not _ID.fullmatch(identity) or any(value in NO_ID for value in ids.values()):
            raise SubmissionError("the address has no valid id of a participant")
        code = self.code_of(identity)
        with self._lock:
            if code in self._plans:
                return Admission("open", code)
            if self.taken() >= self.quota:
                return Admission("full")
            entry = self._new(code, ids)
            add_to_journal(self.path, [entry])
            self._plans[code] = entry["plan"]
            self._entered[code] = datetime.fromisoformat(entry["entered"])
        return Admission("open", code)

    def taken(self) -> int:
        """Places that are taken: by who has finished, and by who is under way."""
        return sum(map(self._holds_place, self._plans))

    def _holds_place(self, code: str) -> bool:
        state, last = self.progress(code)
        since = self.now() - (last or self._entered[code])
        return state == "finished" or (state == "open" and since < self.idle)

    def _new(self, code: str, ids: Mapping[str, str]) -> dict[str, Any]:
        """An entry; its plan is the one that fewest of those who hold a place have, so that sides stay balanced."""
        uses = Counter(plan for other, plan in self._plans.items() if self._holds_place(other))
        uses.update(plan for plan in self.plans if self.progress(plan)[1] is not None)
        sessions = {name: self._hash(name, ids[name]).hex()[:16] for name in self.session_ids if ids.get(name)}
        return {
            "survey": self.survey,
            "code": code,
            "plan": min(self.plans, key=lambda plan: uses[plan]),
            "entered": self.now().isoformat(timespec="seconds"),
            "sessions": sessions,
        }

    def _hash(self, purpose: str, identity: str) -> bytes:
        return hmac.new(self.secret, f"{purpose} {identity}".encode(), hashlib.sha256).digest()
