"""Labels as they are kept in git: CSV files, one per rater or per import, one line per picture that a rater saw."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from anomend.project.files import write_whole
from anomend.project.hand_edited import TableLine, read_table

COLUMNS = ("picture", "rater", "answer", "kinds", "places", "milliseconds", "texts", "showing", "gold")
"""picture: SHA-256 of the picture's file, as the samples' metadata have it; rater: an opaque id, never a name;
answer: nothing | unsure | wrong; kinds: what is wrong, out of `KINDS`, between spaces, empty unless wrong;
places: where, empty or one `x:y` for each kind in the same order, as shares of width and height from the upper left;
milliseconds: from the picture's appearance to the answer, empty if unknown; texts: version of the question that was
asked; showing: 0 the first time, 1 the repeat; gold: a gold picture's known answer, nothing | wrong, else empty."""
ANSWERS = ("nothing", "unsure", "wrong")
KINDS = (
    "extra_limb",
    "missing_limb",
    "detached_limb",
    "fused_limb",
    "bent_wrong",
    "wrong_length",
    "hand",
    "foot",
    "face",
    "other",
)
GOLD = ("", "nothing", "wrong")
RATER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PICTURE = re.compile(r"[0-9a-f]{64}")
_PLACE = re.compile(r"(0(?:\.[0-9]+)?|1(?:\.0+)?):(0(?:\.[0-9]+)?|1(?:\.0+)?)")


def no_labels() -> pd.DataFrame:
    """A table of labels with no rows."""
    return _table([])


def read_labels(folder: Path, *, texts: Collection[str] | None = None) -> pd.DataFrame:
    """Read all CSV files of a folder, in the order of their names.

    Args:
        folder: such as data/labels; may hold no file.
        texts: versions of the question that the present design asks; None: labels of any version are read.

    Returns:
        The columns `COLUMNS`: milliseconds float (NaN where unknown), showing int, all others str ("" for none).

    Raises:
        ValueError: the folder is missing, a file is not a table of these columns, a value is not allowed, a rater
            answered the same showing of a picture twice, or a label is of another version of the question. The
            sentence names file, line and fix.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: make it, or fix label.labels")
    lines: list[TableLine] = []
    first: dict[tuple[str, str, str], TableLine] = {}
    for path in sorted(folder.glob("[!.]*.csv")):
        for line in read_table(path, COLUMNS, optional=("gold",)):
            _check(line)
            if texts is not None and line["texts"] not in texts:
                raise line.problem(
                    f"is an answer to other texts ({line['texts']!r}) than the design's ({', '.join(sorted(texts))}):"
                    f" set the texts back, or move {path.name} out of {folder}"
                )
            key = (line["picture"], line["rater"], line["showing"])
            if earlier := first.get(key):
                raise line.problem(
                    f"has the same picture, rater and showing as line {earlier.number} of {earlier.table}: keep one"
                )
            first[key] = line
            lines.append(line)
    return _table(lines)


def write_labels(path: Path, labels: pd.DataFrame) -> None:
    """Write one file of labels, whole or not at all.

    Args:
        path: the file; what is there is replaced.
        labels: the columns `COLUMNS`, as `read_labels` returns them.

    Raises:
        ValueError: a value is not allowed, or a picture, rater and showing come twice.
    """
    write_whole(path, label_csv(path, labels))


def label_csv(path: Path, labels: pd.DataFrame) -> str:
    """The content of a file of labels, checked as `read_labels` does; `path` is named in errors."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    keys = set()
    for number, row in enumerate(labels[list(COLUMNS)].to_dict("records"), start=2):
        line = TableLine(path, number, {column: _text(row[column]) for column in COLUMNS})
        _check(line)
        key = (line["picture"], line["rater"], line["showing"])
        if key in keys:
            raise line.problem("has the same picture, rater and showing as an earlier one: keep one")
        keys.add(key)
        writer.writerow([line[column] for column in COLUMNS])
    return buffer.getvalue()


def kinds_of(kinds: str) -> list[str]:
    """The kinds in a value of column `kinds`; one may come twice, at two places."""
    return kinds.split()


def places_of(places: str) -> list[tuple[float, float]]:
    """The places in a value of column `places`: (x, y) as shares of width and height, each in [0, 1]."""
    return [(float(x), float(y)) for x, y in (place.split(":") for place in places.split())]


def place(x: float, y: float) -> str:
    """A place as column `places` has it: four decimals, a third of a pixel of a 3,000-pixel picture."""
    return f"{x:.4f}:{y:.4f}"


def _check(line: TableLine) -> None:
    """Refuse a line with a value that is not allowed.

    Raises:
        ValueError: there is one; the sentence names file, line and fix.
    """
    if not _PICTURE.fullmatch(line["picture"]):
        raise line.problem(
            f"has picture = {line['picture']!r}: write the SHA-256 of the picture's file, 64 digits in small letters"
        )
    if not RATER.fullmatch(line["rater"]):
        raise line.problem(
            f"has rater = {line['rater']!r}: write an id of up to 64 letters and digits, - and _, and never a name"
        )
    for column, allowed in (("answer", ANSWERS), ("showing", ("0", "1")), ("gold", GOLD)):
        if line[column] not in allowed:
            words = ", ".join(word or "nothing at all" for word in allowed)
            raise line.problem(f"has {column} = {line[column]!r}: it is one of {words}")
    if not line["texts"]:
        raise line.problem("has no texts: write the version of the question that was asked, from metrics/label.json")
    milliseconds = line["milliseconds"]
    if milliseconds and not (milliseconds.isascii() and milliseconds.isdigit()):
        raise line.problem(f"has milliseconds = {milliseconds!r}: write a whole number, or nothing if it is unknown")
    _check_places(line)


def _check_places(line: TableLine) -> None:
    kinds, places = line["kinds"].split(), line["places"].split()
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise line.problem(f"has an unknown kind {unknown[0]!r}: it is one of {', '.join(KINDS)}")
    if (kinds or places) and line["answer"] != "wrong":
        raise line.problem(f"has kinds or places, but its answer is {line['answer']!r}: empty them, or answer wrong")
    if outside := [one for one in places if not _PLACE.fullmatch(one)]:
        raise line.problem(
            f"has the place {outside[0]!r}: write x:y, shares of width and height from 0 to 1, such as 0.25:0.8"
        )
    if places and len(places) != len(kinds):
        raise line.problem(f"has {len(places)} places for {len(kinds)} kinds: write one for each kind, or no places")


def _text(value: object) -> str:
    if value is None or value != value:  # NaN, of an unknown duration
        return ""
    return str(int(value)) if isinstance(value, float) else str(value)


def _table(lines: list[TableLine]) -> pd.DataFrame:
    table = pd.DataFrame([line.values for line in lines], columns=list(COLUMNS), dtype=object)
    table["milliseconds"] = pd.to_numeric(table["milliseconds"].replace("", None)).astype(float)
    return table.astype({"showing": int})
