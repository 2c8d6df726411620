"""What becomes of what the page sends: a desk checks it against the key and stores it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from threading import Lock
from typing import Protocol

from anomend.surveying.key import LabelKey, SurveyKey
from anomend.surveying.label_answers import (
    SIZE_LIMIT,
    add_to_journal,
    import_labels,
    journal_rows,
    labels_of,
    parse_answers,
)
from anomend.surveying.submissions import AlreadyStored, parse_submission, size_limit, store_submission


class Desk(Protocol):
    """Takes in what people send."""

    stage: str
    """The stage that makes the site."""
    limit: int
    """Bytes of one request at most."""

    @property
    def codes(self) -> Collection[str]:
        """Of all who are invited."""

    def take(self, body: bytes) -> None:
        """Check and store, once.

        Raises:
            SubmissionError: it is refused; AlreadyStored where something else is stored already.
        """

    def answered(self, code: str) -> int:
        """How many of a person's pictures or pairs are answered here."""

    def asked(self, code: str) -> int:
        """How many a person is asked about."""


class SurveyDesk:
    """All answers of a participant at once, stored as one CSV file."""

    stage = "survey"

    def __init__(self, key: SurveyKey, results: Path) -> None:
        self.key, self.results = key, results
        self.limit = size_limit(key)

    @property
    def codes(self) -> Collection[str]:
        """See `Desk`."""
        return self.key.participants.keys()

    def take(self, body: bytes) -> None:
        """See `Desk`."""
        store_submission(parse_submission(body, self.key), self.key, self.results)

    def answered(self, code: str) -> int:
        """See `Desk`."""
        return self.asked(code) if (self.results / f"{code}.csv").exists() else 0

    def asked(self, code: str) -> int:
        """See `Desk`."""
        return len(self.key.participants[code])


class LabelDesk:
    """Each answer of a rater when it is given, added to a journal, so that who stops leaves what was answered."""

    stage = "label"
    limit = SIZE_LIMIT

    def __init__(self, key: LabelKey, journals: Path) -> None:
        self.key, self.journals = key, journals
        self._lock = Lock()

    @property
    def codes(self) -> Collection[str]:
        """See `Desk`."""
        return self.key.raters.keys()

    def take(self, body: bytes) -> None:
        """See `Desk`. The same answer may come twice, for example if a reply was lost; it is stored once."""
        sent = parse_answers(body, self.key)
        labels = labels_of(sent, self.key)
        # The name comes from the key, not from the client.
        path = self.journal(next(code for code in self.codes if code == sent.rater))
        first = sent.answers[0].trial
        with self._lock:
            known = journal_rows(path)
            if first > len(known):
                raise AlreadyStored(f"{len(known)} answers of this rater are stored: the next one is expected")
            overlap = known[first:]
            if overlap != labels[: len(overlap)]:
                raise AlreadyStored("this picture is answered already")
            if new := labels[len(overlap) :]:
                add_to_journal(path, new)

    def answered(self, code: str) -> int:
        """See `Desk`."""
        return len(journal_rows(self.journal(code)))

    def asked(self, code: str) -> int:
        """See `Desk`."""
        return len(self.key.raters[code])

    def journal(self, code: str) -> Path:
        """The file of a rater's answers."""
        return self.journals / f"{code}.jsonl"


def import_journals(journals: Path, folder: Path) -> list[Path]:
    """Bring all journals into the folder that git keeps; the files that hold them there.

    Raises:
        SubmissionError: a file there holds other labels of a rater.
    """
    imported = [(path.stem, journal_rows(path)) for path in sorted(journals.glob("*.jsonl"))]
    return [import_labels(rater, rows, folder) for rater, rows in imported if rows]
