"""Where paid answers are kept: one JSON file a request, outside DVC, so that no cleaning of caches loses money.

paid/answers/<first two>/<key>.json     a request and its outcome, written whole or not at all
paid/in_flight/<key>.json               a request that was put and has no answer yet, and what that may have cost
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from anomend.purchasing.requests import Outcome, PaidRequest, Record

STORE = "ANOMEND_PAID_STORE"
"""Environment variable: where paid answers are kept, if not in the project's `paid/`."""


def project_store(project: Path, named: str | None = None) -> Path:
    """Where a project keeps its store; git and DVC leave it alone.

    Args:
        project: its root. An experiment that DVC runs in a copy below `.dvc/tmp/exps` uses the store of the project
            that it is a copy of: what is paid there is paid for all.
        named: another place, as the user says.
    """
    if named:
        return Path(named).expanduser()
    parts = project.resolve().parts
    for index in range(len(parts) - 2):
        if parts[index : index + 3] == (".dvc", "tmp", "exps"):
            return Path(*parts[:index]) / "paid"
    return project / "paid"


@dataclass(frozen=True)
class _Note:
    """What is known of a request that has no answer."""

    lost_usd: float = 0.0
    kills: int = 0
    in_flight: bool = False

    def as_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


class RequestStore:
    """The answers in a folder. Only one run may put requests at a time: hold `lock()` while doing so.

    Args:
        folder: the store; made where it is missing.
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
            ValueError: another run has it; both would pay for the same answers.
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
            ValueError: the file is there and cannot be read; it was paid for, so that it is not replaced.
        """
        path = self._path(request.key)
        try:
            return Record.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            raise ValueError(f"{path} is no stored answer: restore it, or delete it to pay for it again") from None

    def put(self, request: PaidRequest, outcome: Outcome) -> Record:
        """Keep an outcome; when this returns it is on the disk, and the request no longer in flight."""
        path = self._path(request.key)
        path.parent.mkdir(exist_ok=True)
        note = self._read(request)
        record = Record(
            request=request.content,
            outcome=outcome,
            lost_usd=note.lost_usd,
            kills=note.kills,
            stored=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_atomically(path, record.model_dump_json(indent=1).encode())
        self._marker(request.key).unlink(missing_ok=True)
        return record

    def begin(self, request: PaidRequest) -> None:
        """Note that a request is about to be put; a kill leaves the note behind."""
        write_atomically(self._marker(request.key), _Note(self.lost(request), self.kills(request), True).as_json())

    def end(self, request: PaidRequest, lost_usd: float = 0.0) -> None:
        """Note that a request ended without an outcome, and what that may have cost."""
        note = self._read(request)
        write_atomically(self._marker(request.key), _Note(note.lost_usd + lost_usd, note.kills, False).as_json())

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


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is whole or absent, whatever happens, and that a power cut does not undo."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
