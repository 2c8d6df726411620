"""What becomes of what the page sends: a desk checks it against the key, and keeps each answer when it is given.

Who stops leaves what was answered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Literal

from pydantic import Field

from anomend.surveying.journals import Rows, add_to_journal, import_rows, journal_rows
from anomend.surveying.key import LabelKey
from anomend.surveying.label_answers import label_table, labels_of, parse_labels
from anomend.surveying.submissions import CODE, AlreadyStored, Strict, Submission, SubmissionError, parse

State = Literal["open", "finished", "withdrawn"]
WITHDRAWN = ".withdrawn"
"""Ending of an empty file that says that a code was withdrawn or deleted: its answers are refused from then on."""


class Withdrawal(Strict):
    """What the page sends when a person withdraws."""

    code: str = Field(pattern=CODE)


class Desk(ABC):
    """Takes in what people send, into one journal per person."""

    stage: ClassVar[str]
    """The stage that makes the site."""
    who: ClassVar[str]
    """What a person is called."""

    def __init__(
        self,
        key: Any,
        journals: Path,
        *,
        folder: Path | None = None,
        committed: Callable[[Path], bool] = lambda path: False,
    ) -> None:
        """A desk.

        Args:
            key: unblinds what people see.
            journals: folder of the journals.
            folder: the folder that git keeps, from which answers that are withdrawn are deleted too.
            committed: whether a file of that folder is in git.
        """
        self.key = key
        self.journals, self.folder, self.committed = journals, folder, committed
        self._lock = Lock()

    @property
    @abstractmethod
    def codes(self) -> Collection[str]:
        """Of all who are invited by a link of their own."""

    @abstractmethod
    def asked(self, code: str) -> int | None:
        """How many pictures or pairs a person is asked about; None: nobody has this code."""

    @abstractmethod
    def rows(self, body: bytes) -> tuple[Submission, list[dict[str, Any]]]:
        """What was sent, and as rows of the journal.

        Raises:
            SubmissionError: it is refused.
        """

    @abstractmethod
    def as_table(self, path: Path, rows: Rows) -> str:
        """Rows of a journal as a CSV file (see `journals.AsTable`)."""

    def plan_of(self, code: str) -> str:
        """The code whose plan a person sees."""
        return code

    def end_of(self, state: State) -> Mapping[str, str | None] | None:
        """What a person is given at the end, `code` and `url`."""
        return None

    def take(self, body: bytes) -> str:
        """Check and store; the code of who sent it. The same answer may come twice, for example if a reply was lost;
        it is stored once.

        Raises:
            SubmissionError: it is refused; AlreadyStored where another answer is stored already.
        """
        sent, rows = self.rows(body)
        path, first = self.journal(sent.code), sent.given[0].trial
        with self._lock:
            if self.withdrawn(sent.code):
                raise AlreadyStored("the answers of this code were withdrawn")
            if self._only_imported(sent.code):
                raise AlreadyStored(f"answers of this {self.who} are stored already")
            known = journal_rows(path)
            if first > len(known):
                raise AlreadyStored(f"{len(known)} answers of this {self.who} are stored: the next one is expected")
            overlap = known[first:]
            if not _same(overlap, rows[: len(overlap)]):
                raise AlreadyStored("this is answered already")
            if new := rows[len(overlap) :]:
                add_to_journal(path, new)
        return sent.code

    def answered(self, code: str) -> int:
        """How many of a person's pictures or pairs are answered here."""
        return len(journal_rows(self.journal(code)))

    def state(self, code: str) -> State:
        """How far a person is."""
        if self.withdrawn(code):
            return "withdrawn"
        asked = self.asked(code)
        done = asked is not None and self.answered(code) >= asked
        return "finished" if done or self._only_imported(code) else "open"

    def standing(self, code: str) -> dict[str, Any]:
        """What the page is told about a person: answered, asked, state, and the end if there is one."""
        state = self.state(code)
        asked = self.asked(code)
        return {
            "answered": asked if state == "finished" else self.answered(code),
            "asked": asked,
            "state": state,
            "end": self.end_of(state),
        }

    def withdraw(self, body: bytes) -> None:
        """Delete a person's answers, as the person asks.

        Raises:
            SubmissionError: it is refused; AlreadyStored where the answers are in git.
        """
        code = parse(body, Withdrawal).code
        if self.asked(code) is None:
            raise SubmissionError("the code is not known")
        if self.folder and self.committed(self.folder / f"{code}.csv"):
            raise AlreadyStored("the answers are part of the published data")
        self.delete(code)

    def delete(self, code: str) -> list[Path]:
        """Delete the answers of a code and refuse further ones; the files that were deleted."""
        with self._lock:
            self.journals.mkdir(parents=True, exist_ok=True)
            (self.journals / f"{code}{WITHDRAWN}").touch()
            folders = ((self.journals, ".jsonl"), (self.folder, ".csv"))
            paths = [folder / f"{code}{ending}" for folder, ending in folders if folder]
            there = [path for path in paths if path.exists()]
            for path in there:
                path.unlink()
        return there

    def withdrawn(self, code: str) -> bool:
        """Whether the code was withdrawn or deleted."""
        return (self.journals / f"{code}{WITHDRAWN}").exists()

    def _only_imported(self, code: str) -> bool:
        """Whether git's folder has answers of a code, and this machine has not their journal: there is no going on."""
        return bool(self.folder and (self.folder / f"{code}.csv").exists() and not self.journal(code).exists())

    def journal(self, code: str) -> Path:
        """The file of a person's answers; the code is known, and not what a client sent."""
        return self.journals / f"{code}.jsonl"

    def import_code(self, code: str, folder: Path) -> Path:
        """Bring one person's answers into the folder that git keeps (see `journals.import_rows`)."""
        return import_rows(folder / f"{code}.csv", journal_rows(self.journal(code)), self.as_table)


class LabelDesk(Desk):
    """Labels of single pictures."""

    stage = "label"
    who = "rater"
    key: LabelKey

    @property
    def codes(self) -> Collection[str]:
        """See `Desk`."""
        return self.key.raters.keys()

    def asked(self, code: str) -> int | None:
        """See `Desk`."""
        return len(self.key.raters[code]) if code in self.key.raters else None

    def rows(self, body: bytes) -> tuple[Submission, list[dict[str, Any]]]:
        """See `Desk`."""
        sent = parse_labels(body, self.key)
        return sent, labels_of(sent, self.key)

    def as_table(self, path: Path, rows: Rows) -> str:
        """See `Desk`."""
        return label_table(path, rows)


def _same(known: Sequence[Mapping[str, Any]], sent: Sequence[Mapping[str, Any]]) -> bool:
    """Whether two rows of answers are the same; the same answer may come again after midnight."""

    def without_day(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{name: value for name, value in row.items() if name != "date"} for row in rows]

    return without_day(known) == without_day(sent)
