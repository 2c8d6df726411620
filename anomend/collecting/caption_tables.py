"""Tables of captions in a user's folder: Hugging Face's `metadata.jsonl` and `metadata.csv`, in any sub-folder."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomend.project.hand_edited import read_table
from anomend.project.text_files import read_text

TABLES = ("metadata.jsonl", "metadata.csv")
CAPTION_KEYS = ("text", "caption")
"""The column of the caption: `text` in Hugging Face's examples, `caption` in many data sets."""
OTHER_TABLES = {
    f"{stem}.{ending}"
    for stem in ("metadata", "captions", "caption", "meta_cap", "labels", "train", "dataset", "annotations", "prompts")
    for ending in ("json", "jsonl", "csv", "tsv", "txt", "parquet", "xlsx", "xls", "ods", "toml", "yaml", "yml")
} - set(TABLES) | {f"{table}.txt" for table in TABLES}
"""Names under which other programs keep captions in layouts that are not read here, or with a second ending."""


@dataclass
class CaptionTables:
    """What all tables of a folder say."""

    captions: dict[Path, tuple[str, str]] = field(default_factory=dict)
    """Picture to its caption, and the table and line that it is from."""
    faults: dict[Path, str] = field(default_factory=dict)
    """Picture to why a table that names it has no caption for it."""
    unmatched: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Name in a table that is not a file of the folder, to the table and line."""
    others: list[Path] = field(default_factory=list)
    """Tables in layouts that are not read."""


def unused_lines(tables: CaptionTables) -> Iterator[tuple[str, str]]:
    """Each table with lines that name no file of the folder, and a sentence about them."""
    by_table: dict[str, list[str]] = {}
    for name, (table, line) in tables.unmatched.items():
        by_table.setdefault(table, []).append(f"{name!r} (line {line})")
    for table, names in by_table.items():
        more = f" and {len(names) - 1} more, which are" if len(names) > 1 else ", which is"
        yield table, f"names {names[0]}{more} not in the folder: correct or remove these lines"


def is_table(path: Path) -> bool:
    """Whether a file is a table of captions by its name, in capitals or not."""
    return path.name.lower() in TABLES


def read_tables(folder: Path, files: Sequence[Path]) -> CaptionTables:
    """All tables in a folder and its sub-folders. A table names pictures from its own folder or from the user's.

    Args:
        folder: the user's folder.
        files: the files in it that may be read.

    Raises:
        ValueError: a table is not UTF-8, a line cannot be read, or two lines give one picture different captions.
    """
    tables = CaptionTables(others=[path for path in files if path.name.lower() in OTHER_TABLES])
    by_name = _by_name(files)
    for table in (path for path in files if is_table(path)):
        shown = table.relative_to(folder).as_posix()
        for line, row in _rows(table):
            where, name = f"line {line} of {shown}", str(row["file_name"]).strip()
            path = _named(name, table.parent, by_name) or _named(name, folder, by_name)
            if path is None:
                tables.unmatched[name] = shown, line
                continue
            caption, fault = _caption(row, where)
            if fault:
                tables.faults.setdefault(path, fault)
            if caption:
                earlier = tables.captions.setdefault(path, (caption, where))
                if earlier[0] != caption:
                    raise ValueError(f"{where} and {earlier[1]} in {folder} caption {name!r} differently: keep one")
    return tables


def one_line(text: str) -> str:
    """A caption as it is compared and trained on: one line, composed letters (NFC), single blanks."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _caption(row: dict[str, Any], where: str) -> tuple[str, str]:
    """The caption in a row, and otherwise why there is none; an empty one is none, without a fault."""
    values = [row[key] for key in CAPTION_KEYS if row.get(key) is not None]
    if not any(key in row for key in CAPTION_KEYS):
        columns = ", ".join(str(key) for key in row)
        return "", f"{where} has no caption (its columns are {columns}): name the caption's column `text`"
    if any(not isinstance(value, str) for value in values):
        return "", f"the caption in {where} is not a text: write one text in quotes"
    captions = {caption for value in values if (caption := one_line(value))}
    if len(captions) > 1:
        return "", f"{where} has a `text` and another `caption`: keep one"
    if not captions:
        return "", f"the caption in {where} is empty: write one"
    return captions.pop(), ""


def _rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a table with their line numbers, each with a `file_name`."""
    if table.suffix.lower() == ".csv":
        for each in read_table(table, ("file_name",), optional=CAPTION_KEYS[:1]):
            yield each.number, each.values
        return
    for number, line in enumerate(read_text(table).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError):
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
            raise ValueError(f"line {number} of {table} is not a JSON object with a file_name: fix it")
        if any("\ud800" <= letter <= "\udfff" for value in row.values() if isinstance(value, str) for letter in value):
            raise ValueError(f"line {number} of {table} has half a character (\\ud800 to \\udfff): write it again")
        yield number, row


def _named(name: str, folder: Path, by_name: dict[str, list[Path]]) -> Path | None:
    """The file that a table in a folder names: exactly, or in other capitals, Unicode form or kind of slashes."""
    for written in (name, name.replace("\\", "/")):
        parts = [part for part in written.split("/") if part not in ("", ".")]
        if not parts or written.startswith("/") or ".." in parts:
            continue
        path = folder.joinpath(*parts)
        alike = by_name.get(_key(path), [])
        if path in alike:
            return path
        if len(alike) == 1:
            return alike[0]
    return None


def _by_name(files: Iterable[Path]) -> dict[str, list[Path]]:
    names: dict[str, list[Path]] = {}
    for path in files:
        names.setdefault(_key(path), []).append(path)
    return names


def _key(path: Path) -> str:
    return unicodedata.normalize("NFC", path.as_posix()).casefold()
