"""Tables in every encoding, with every separator and line ending, whole and broken: read right, or refused.

Expected values are those that the generator wrote by Python's own csv module; no reader of this project makes them.
"""

from __future__ import annotations

import codecs
import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomend.project.hand_edited import read_table
from tests.faults.table import Row, record

TABLES = 1500
COLUMNS = ("image", "decision", "note")
ENCODINGS = {
    "utf-8": b"",
    "utf-8 with mark": codecs.BOM_UTF8,
    "utf-16-le with mark": codecs.BOM_UTF16_LE,
    "utf-16-be with mark": codecs.BOM_UTF16_BE,
    "cp1252": b"",
    "utf-16-le": b"",
    "utf-32-le with mark": codecs.BOM_UTF32_LE,
    "shift_jis": b"",
}
BREAKS = ("short", "long", "open quote", "no column", "column twice", "nothing", "cut", "lost letters")
LETTERS = "abcXYZ019 .-_'éßø"


@dataclass(frozen=True)
class OddTable:
    """A table, and what is in it."""

    content: bytes
    rows: list[list[str]]
    encoding: str
    broken: str | None


def odd_table(draw: random.Random) -> OddTable:
    """A table of up to five lines."""
    encoding = draw.choice(list(ENCODINGS))
    broken = draw.choice([None, None, *BREAKS])
    letters = LETTERS if encoding == "cp1252" else "abcXYZ019 .-_'人横" if encoding == "shift_jis" else LETTERS + "人😀"
    special = ['"', "\n", ",", ";", "\t"]

    def value() -> str:
        text = "".join(draw.choices(list(letters) + special * draw.randint(0, 1), k=draw.randint(1, 9))).strip()
        return text or "x"

    rows = [[value() for _ in COLUMNS] for _ in range(draw.randint(1, 5))]
    header = list(COLUMNS)
    written = [header, *[list(row) for row in rows]]
    place = draw.randint(1, len(rows))
    if broken == "short":
        written[place].pop()
    elif broken == "long":
        written[place].append(value())
    elif broken == "no column":
        header[draw.randrange(3)] = "other"
    elif broken == "column twice":
        header[0] = header[1]
    elif broken == "lost letters":
        written[place][2] += "\ufffd"
    ending = draw.choice(["\n", "\r\n", "\r"])
    text = _written(written, separator=draw.choice(",;\t"), ending=ending)
    if broken == "open quote":
        text += '"never closed'
    elif broken == "nothing":
        text = ""
    codec = encoding.removesuffix(" with mark")
    if broken == "lost letters" and codec in ("cp1252", "shift_jis"):
        broken, text = None, text.replace("\ufffd", "")
    content = ENCODINGS[encoding] + text.encode(codec)
    if broken == "cut":
        # In the middle of the first line.
        content = content[: len(ENCODINGS[encoding]) + len("image,de".encode(codec))]
    return OddTable(content, rows, encoding, broken)


def _written(rows: Sequence[Sequence[str]], *, separator: str, ending: str) -> str:
    buffer = io.StringIO(newline="")
    # With "\r" alone at the ends of lines, csv leaves values with "\n" unquoted.
    quoting = csv.QUOTE_ALL if ending == "\r" else csv.QUOTE_MINIMAL
    csv.writer(buffer, delimiter=separator, lineterminator=ending, quoting=quoting).writerows(rows)
    # Spreadsheets leave empty lines behind.
    return buffer.getvalue() + ending + separator * 2 + ending


def test_a_hand_edited_table_is_read_right_or_refused_with_its_name_and_the_fix(tmp_path: Path) -> None:
    draw, right, wrong = random.Random(20261128), 0, []
    for number in range(TABLES):
        # A name of its own for each: some disks take milliseconds to empty a file.
        odd, path = odd_table(draw), tmp_path / f"decisions-{number}.csv"
        path.write_bytes(odd.content)
        try:
            read = [[line[column] for column in COLUMNS] for line in read_table(path, COLUMNS)]
        except ValueError as error:
            sentence = str(error)
            told = str(path) in sentence and ": " in sentence and "\n" not in sentence
            readable = odd.encoding.startswith(("utf-8", "utf-16-le with", "utf-16-be"))
            if not told or (odd.broken is None and readable):
                wrong.append((number, odd, sentence))
        else:
            right += 1
            if odd.broken is not None or read != odd.rows:
                wrong.append((number, odd, read))
    message = f"{right} read right, {TABLES - right - len(wrong)} refused in one sentence with the file's name"
    record(Row("curate, collect, judge, survey", "hand-edited tables, seeded", TABLES, len(wrong), message))
    assert right > 100 and not wrong, wrong[:3]
