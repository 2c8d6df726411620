"""The one reader of tables that people edit by hand or in a spreadsheet: CSV, with a sentence about what is wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomend.project.text_files import read_text

SEPARATORS = (",", ";", "\t")
"""What spreadsheets write between two values; which one depends on the country."""


@dataclass(frozen=True)
class TableLine:
    """One line of a table."""

    table: Path
    number: int
    """Where it begins in the file; the first line, with the columns' names, is 1."""
    values: dict[str, str]
    """By column, without blanks around; empty where the line gives none."""

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    def problem(self, what: str) -> ValueError:
        """The error about this line; `what` goes on after the line and the table, and ends with the fix."""
        return ValueError(f"line {self.number} of {self.table} {what}")

    def number_in(self, column: str) -> float:
        """The number in a column.

        Raises:
            ValueError: it is not a finite number with a decimal point.
        """
        try:
            number = float(self[column])
        except ValueError:
            number = float("nan")
        if abs(number) < float("inf") and "_" not in self[column]:
            return number
        raise self.problem(f"has {column} = {self[column]!r}: write a plain number, such as 2.5")


def read_table(table: Path, columns: Sequence[str], *, optional: Sequence[str] = ()) -> list[TableLine]:
    """Read a CSV file whose first line names its columns; lines without any value are skipped.

    Values may stand between commas, semicolons or tabs. Files may be in UTF-8 or UTF-16: see `text_files.read_text`.

    Args:
        table: the file.
        columns: names of the columns that it must have; others may be there.
        optional: those of the columns that a line may end without.

    Raises:
        ValueError: the file is missing, has another encoding, lacks a column or has one twice, or a line has another
            number of values or a quotation mark that is never closed. The sentence names the file and the fix.
    """
    if not table.exists():
        raise ValueError(
            f"{table} is missing: restore it from git, or make one whose first line is {','.join(columns)}"
        )
    text = read_text(table)
    mark, _, rest = text.partition("\n")
    if mark.strip().lower() in ("sep=,", "sep=;", "sep=\t", "sep="):
        text, before = rest, 1  # Excel's own line, which names the separator.
    else:
        before = 0
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    records: list[tuple[int, list[str]]] = []
    begins = before + 1
    try:
        for record in reader:
            if any(value.strip() for value in record):
                records.append((begins, [value.strip() for value in record]))
            begins = before + reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"line {begins} of {table} is not CSV ({error}): put quotation marks around the whole value, and double"
            " those inside it"
        ) from None
    names = records[0][1] if records else []
    first = ",".join(dict.fromkeys([*columns, *optional]))
    for column in columns:
        if column not in names:
            raise ValueError(f"{table} has no column {column!r}: its first line is {first}")
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise ValueError(f"{table} has two columns {twice[0]!r}: keep one")
    return [_line(table, number, names=names, record=record, optional=optional) for number, record in records[1:]]


def _line(
    table: Path, number: int, *, names: Sequence[str], record: Sequence[str], optional: Sequence[str]
) -> TableLine:
    values = dict.fromkeys(names, "") | dict(zip(names, record, strict=False))
    missing = [name for name in names[len(record) :] if name and name not in optional]
    # A spreadsheet may add columns without a name; what stands in one belongs to no column.
    stray = any(value for name, value in zip([*names, *[""] * len(record)], record, strict=False) if not name)
    line = TableLine(table, number, values)
    if missing or stray:
        named = sum(map(bool, names))
        raise line.problem(
            f"has {len(record)} values for {named} columns: give each column its value, and put quotation marks around"
            " one that holds the separator"
        )
    return line
