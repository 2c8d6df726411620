"""Where paid answers are kept: one JSON file per request, outside DVC, so that cleaning a cache loses no money.

paid/answers/<first two>/<key>.json     a request and its outcome
paid/in_flight/<key>.json               a request that was sent and has no answer yet, and what it may have cost
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from anomend.project.files import write_whole
from anomend.purchasing.requests import Outcome, PaidRequest, Record


@dataclass(frozen=True)
class _Note:
    """The history of a request that has no answer."""

    lost_usd: float = 0.0
    kills: int = 0
    in_flight: bool = False
    batches: int = 0
    """Batches that ended without its answer."""

    def as_json(self) -> str:
        return json.dumps(asdict(self))


class RequestStore:
    """The answers in a folder. Only one run may send requests at a time: hold `lock()` while doing so.

    Args:
        folder: the store; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers, self.in_flight = folder / "answers", folder / "in_flight"
        self._lock_path = folder / "lock"
        for made in (self.answers, self.in_flight):
            made.mkdir(parents=True, exist_ok=True)

    def lock(self) -> FileLock:
        """The store's lock, taken.

        Raises:
            ValueError: another run holds it; both would pay for the same answers.
        """
        lock = FileLock(self._lock_path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"another run is buying answers ({self._lock_path}): wait until it has ended") from None
        return lock

    def get(self, request: PaidRequest) -> Record | None:
        """The stored answer to a request, or None.

        Raises:
            ValueError: the file exists and cannot be read. It was paid for, so it is not replaced.
        """
        path = self._path(request.key)
        try:
            return Record.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            raise ValueError(f"{path} is not a stored answer: restore it, or delete it to pay for it again") from None

    def put(self, request: PaidRequest, outcome: Outcome) -> Record:
        """Keep an outcome. When this returns, it is on the disk and the request is not in flight any more."""
        note = self._read(request)
        record = Record(
            request=request.content,
            outcome=outcome,
            lost_usd=note.lost_usd,
            kills=note.kills,
            stored=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_whole(self._path(request.key), record.model_dump_json(indent=1))
        self._marker(request.key).unlink(missing_ok=True)
        return record

    def begin(self, request: PaidRequest) -> None:
        """Note that a request is about to be sent; a kill leaves the note behind."""
        note = _Note(self.lost(request), self.kills(request), True, self.failed_batches(request))
        write_whole(self._marker(request.key), note.as_json())

    def end(self, request: PaidRequest, lost_usd: float = 0.0) -> None:
        """Note that a request ended without an outcome, and what that may have cost."""
        note = self._read(request)
        note = replace(note, lost_usd=note.lost_usd + lost_usd, in_flight=False)
        write_whole(self._marker(request.key), note.as_json())

    def batch_failed(self, request: PaidRequest) -> None:
        """Note that a batch ended without an answer to a request."""
        note = self._read(request)
        write_whole(self._marker(request.key), replace(note, batches=note.batches + 1).as_json())

    def failed_batches(self, request: PaidRequest) -> int:
        """How many batches ended without an answer to a request."""
        return self._read(request).batches

    def lost(self, request: PaidRequest) -> float:
        """Estimate in dollars of what was paid for a request without an answer that could be used."""
        note = self._read(request)
        return note.lost_usd + (request.estimate_usd if note.in_flight else 0.0)

    def kills(self, request: PaidRequest) -> int:
        """How often a kill fell between a request and its answer."""
        note = self._read(request)
        return note.kills + int(note.in_flight)

    def _read(self, request: PaidRequest) -> _Note:
        try:
            return _Note(**json.loads(self._marker(request.key).read_bytes()))
        except FileNotFoundError:
            return _Note()

    def _path(self, key: str) -> Path:
        return self.answers / key[:2] / f"{key}.json"

    def _marker(self, key: str) -> Path:
        return self.in_flight / f"{key}.json"
