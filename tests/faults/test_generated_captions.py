"""Generated layouts of captions: the caption reaches its picture as it was meant, or the file is named with the fix."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from anomend.collecting.captions import Captions
from anomend.collecting.own_files import own_files
from tests.faults.table import Row, record

GRASS, STREET = "lying on the grass", "lying on the street"
READ = {"utf-8": "", "utf-8-sig": "", "utf-16": "", "utf-16-be+bom": "\ufeff"}
"""Encodings that say what they are, to what is put before the text."""
OTHERS = {
    "utf-16-le": "früh, an einem Morgen",
    "utf-16-be": "früh, an einem Morgen",
    "utf-32": "früh, an einem Morgen",
    "cp1252": "früh, «am Morgen»",
    "mac-roman": "früh, über Gras",
    "cp437": "früh, über Gras",
    "cp037": "frueh, ueber Gras",
    "koi8-r": "на улице утром",
    "cp1251": "на улице утром",
    "gb18030": "清晨的街道",
    "big5": "清晨的街道",
    "shift-jis": "早朝の通り",
    "euc-kr": "이른 아침 거리",
    "iso2022-jp": "早朝の通り",
}
"""Encodings that must be refused, each with words that it can write."""
FIXES = ("save it again in UTF-8", "write", "name the caption's column", "keep one", "correct that", "is not CSV")


@dataclass(frozen=True)
class Case:
    """A layout, with what has to come of it."""

    name: str
    files: dict[str, bytes]
    picture: str
    expected: str | None
    """The caption; None: refused."""
    names: str
    """What the refusal has to name."""


def text_in(encoding: str) -> str:
    words = OTHERS.get(encoding, "früh, 草の上, на улице")
    return f"{STREET}, {words}"


def in_bytes(text: str, encoding: str) -> bytes:
    return (READ.get(encoding, "") + text).encode(encoding.removesuffix("+bom"))


def text_files() -> Iterator[Case]:
    """Captions next to pictures."""
    endings = {".txt": True, ".TXT": True, ".Txt": True, ".caption": True, ".CAPTION": True, ".png.txt": True}
    endings |= {".json": False, ".tags": False, ".captions": False, ".text": False}
    newlines = ("", "\r\n", "\r \n\t")
    for encoding, ending, newline, form in product((*READ, *OTHERS), endings, newlines, ("NFC", "NFD")):
        place = "deep/down/" if form == "NFD" else ""
        text = text_in(encoding)
        # Encodings of one script have no single accents.
        written = unicodedata.normalize(form, text) if encoding in READ or encoding.startswith("utf") else text
        is_read = encoding in READ and endings[ending]
        yield Case(
            name=f"{encoding} {ending} {newline!r} {form} {place}",
            files={f"{place}é{ending}": in_bytes(written + newline, encoding)},
            picture=unicodedata.normalize(form, f"{place}é.png"),
            expected=text if is_read else None,
            names=f"é{ending}",
        )


def tables() -> Iterator[Case]:
    """Tables of captions."""
    keys = {"text": True, "caption": True, "Text": False, "prompt": False, "description": False}
    for encoding, ending, place, key, newline, form in product(
        (*READ, *OTHERS), ("jsonl", "csv"), ("", "train/"), keys, ("\n", "\r\n"), ("NFC", "NFD")
    ):
        text = text_in(encoding)
        named = unicodedata.normalize(form, "é.png") if encoding in READ else "e.png"
        rows = [{"file_name": named, key: text}]
        if ending == "csv":
            stream = io.StringIO()
            writer = csv.DictWriter(stream, ["file_name", key], lineterminator=newline)
            writer.writeheader()
            writer.writerows(rows)
            content = stream.getvalue()
        else:
            content = newline.join(json.dumps(row, ensure_ascii=False) for row in rows) + newline
        yield Case(
            name=f"{encoding} {ending} {place} {key} {newline!r} {form}",
            files={f"{place}metadata.{ending}": in_bytes(content, encoding)},
            picture=f"{place}{'é' if encoding in READ else 'e'}.png",
            expected=text if encoding in READ and keys[key] else None,
            names=f"metadata.{ending}",
        )


def folders() -> Iterator[Case]:
    """Sub-folders named after a caption."""
    names = [(f"{before}{words}", words) for before in ("", "1_", "10_", "123_") for words in (GRASS, STREET)]
    for (name, words), write, place in product(
        names, (str, str.upper, str.title, lambda text: text.replace(" ", "_")), ("", "train/", "a/b/")
    ):
        folder = write(name)
        yield Case(folder + place, {}, f"{place}{folder}/x.png", words, "")
    for number, words, place in product((1, 10, 2024), ("sks woman", "holiday", "lying on a bed"), ("", "train/")):
        yield Case(f"{number}_{words}", {}, f"{place}{number}_{words}/x.png", None, f"{number}_{words}/")


def outcome(folder: Path, case: Case) -> tuple[str | None, str]:
    """The caption of the case's picture and of the one beside it, which is right in every layout; or the refusal."""
    for name, content in {
        **case.files,
        case.picture: b"picture",
        "good.png": b"picture",
        "good.txt": GRASS.encode(),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    try:
        captions = Captions(folder, [GRASS, STREET], None, own_files(folder))
        assert captions.of(folder / "good.png").text == GRASS, "everything else is kept"
        caption = captions.of(folder / case.picture)
    except ValueError as error:
        return None, str(error)
    assert caption.prompt in (GRASS, STREET) and caption.kind != "fallback", (case.name, caption)
    return caption.text, ""


@pytest.mark.parametrize("make", [text_files, tables, folders])
def test_a_caption_is_read_as_it_was_meant_or_its_file_is_named_with_the_fix(tmp_path: Path, make: object) -> None:
    cases = list(make())  # type: ignore[operator]
    refused = 0
    for number, case in enumerate(cases):
        text, said = outcome(tmp_path / str(number), case)
        assert text == case.expected, (case.name, text, said)
        if text is None:
            refused += 1
            assert "\n" not in said and unicodedata.normalize("NFC", case.names) in said, (case.name, said)
            assert any(fix in said for fix in FIXES), (case.name, said)
    kind = {text_files: "text files next to pictures", tables: "tables", folders: "names of folders"}[make]  # type: ignore[index]
    told = f"{len(cases) - refused} read, {refused} refused in one sentence; no picture got another caption"
    record(Row("collect", f"layouts of captions: {kind}", len(cases), 0, told))
    assert 0 < refused < len(cases)


def test_there_are_thousands() -> None:
    assert sum(len(list(make())) for make in (text_files, tables, folders)) > 2000
