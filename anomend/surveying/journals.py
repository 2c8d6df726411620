"""Journals: files in which the server keeps each answer when it comes, until they are brought into git's folder.

A journal is a file of JSON lines per person. A line is a whole answer, unblinded, so that it can be imported also after
the pictures were drawn anew. Lines are only ever added; one that a kill cut off is taken away before the next.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anomend.project.files import write_whole
from anomend.surveying.submissions import AlreadyStored

Rows = Sequence[Mapping[str, Any]]
AsTable = Callable[[Path, Rows], str]
"""Rows of a journal as the content of a CSV file, checked; the path is for messages."""


def journal_rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a journal; none where there is no file. What follows the last whole line is left out."""
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.split(b"\n") if line]


def add_to_journal(path: Path, rows: Rows) -> None:
    """Add whole lines, and wait until they are on the disk. One process and thread at a time may do so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(dict(row)) + "\n" for row in rows).encode()
    with path.open("ab") as file:
        kept = path.read_bytes().rfind(b"\n") + 1
        if kept < file.tell():
            file.truncate(kept)
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def import_rows(path: Path, rows: Rows, as_table: AsTable) -> Path:
    """Write a person's answers as a CSV file. What an earlier import wrote may be continued, and is never changed.

    Args:
        path: `<code>.csv` in the folder that git keeps; the code was checked before.
        rows: the person's answers.
        as_table: see `AsTable`.

    Raises:
        AlreadyStored: other answers of this person are there.
        ValueError: a value is not allowed.
    """
    content = as_table(path, rows)
    if path.exists():
        earlier = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        if earlier.startswith(content):
            return path
        if not content.startswith(earlier):
            raise AlreadyStored(f"{path} holds other answers of this person: keep one of the two")
    write_whole(path, content)
    return path


def import_journals(journals: Path, folder: Path, as_table: AsTable) -> list[Path]:
    """Bring all journals into the folder that git keeps; the files that hold them there.

    Raises:
        AlreadyStored: a file there holds other answers of a person.
    """
    found = [(path.stem, journal_rows(path)) for path in sorted(journals.glob("*.jsonl"))]
    return [import_rows(folder / f"{code}.csv", rows, as_table) for code, rows in found if rows]
