"""Captions as people and other programs write them: read right, or refused in a sentence, never changed in silence."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomend.collecting.folder import check
from anomend.collecting.folder import collect as collect_folder
from anomend.collecting.image import FolderSettings, Skipped, SourceImage, SourceSettings

GRASS, STREET = "lying on the grass", "lying on the street"
PROMPTS = [GRASS, STREET]
TEXT = f"an old man {STREET}, früh"
LINE = {"file_name": "a.png", "text": TEXT}


def picture(path: Path, grey: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(path)
    return path


def collected(
    folder: Path, caption: str | None = None, prompts: list[str] = PROMPTS
) -> tuple[dict[str, SourceImage], dict[str, str]]:
    """Images by original name, and reasons by what was left out."""
    items = list(collect_folder(prompts, 100, settings(folder, caption)))
    images = {item.provenance["original"]: item for item in items if isinstance(item, SourceImage)}
    return images, {item.name: item.reason for item in items if isinstance(item, Skipped)}


def settings(folder: Path, caption: str | None = None) -> SourceSettings:
    return SourceSettings(folder=FolderSettings(path=folder, caption=caption))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", [".txt", ".TXT", ".caption", ".Caption", ".png.txt"])
@pytest.mark.parametrize("newline", ["", "\n", "\r\n"])
def test_a_caption_next_to_its_picture_is_read(tmp_path: Path, encoding: str, ending: str, newline: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / f"a{ending}").write_bytes(unicodedata.normalize("NFD", TEXT + newline).encode(encoding))
    images, left_out = collected(tmp_path)
    item = images["a.png"]
    assert (item.text, item.prompt, item.provenance["caption_from"]) == (TEXT, STREET, f"a{ending}")
    assert item.caption_kind == "text_file" and left_out == {}


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le", "utf-16-be", "utf-32", "cp037", "iso2022_jp"])
def test_a_caption_in_another_encoding_is_named_and_its_picture_left_out(tmp_path: Path, encoding: str) -> None:
    text = "草の上" if encoding == "iso2022_jp" else TEXT
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    (tmp_path / "b.txt").write_text(GRASS)
    images, left_out = collected(tmp_path, "a person")
    assert set(images) == {"b.png"} and set(left_out) == {"a.png"}
    assert left_out["a.png"].startswith(f"{tmp_path / 'a.txt'} ") and "save it again in UTF-8" in left_out["a.png"]


def test_a_caption_that_lost_characters_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    (tmp_path / "a.txt").write_text(TEXT.replace("ü", "\ufffd"), encoding="utf-8")
    (tmp_path / "b.txt").write_text(GRASS)
    images, left_out = collected(tmp_path)
    assert "has lost characters" in left_out["a.png"] and set(images) == {"b.png"}


@pytest.mark.parametrize("place", ["", "train/"])
@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "Metadata.CSV", "METADATA.jsonl"])
@pytest.mark.parametrize("key", ["text", "caption"])
def test_a_table_is_read_in_any_folder_with_either_key(tmp_path: Path, place: str, name: str, key: str) -> None:
    picture(tmp_path / f"{place}a.png")
    line = {"file_name": "a.png", key: TEXT}
    lines = [json.dumps(line)] if name.endswith("l") else [f"file_name,{key}", f'a.png,"{TEXT}"']
    (tmp_path / f"{place}{name}").write_text("\n".join(lines), encoding="utf-8")
    images, left_out = collected(tmp_path)
    item = images[f"{place}a.png"]
    number = len(lines)
    assert (item.text, item.prompt, item.caption_kind) == (TEXT, STREET, "table")
    assert item.provenance["caption_from"] == f"line {number} of {place}{name}" and left_out == {}


@pytest.mark.parametrize("written", ["./a b.png", "A B.PNG", "A b.png"])
def test_a_table_names_a_file_in_other_capitals_or_with_another_slash(tmp_path: Path, written: str) -> None:
    picture(tmp_path / "a b.png")
    picture(tmp_path / "sub/ü.png")
    rows = [{"file_name": written, "text": GRASS}, {"file_name": "sub\\u\u0308.png", "text": STREET}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert {name: item.text for name, item in collected(tmp_path)[0].items()} == {
        "a b.png": GRASS,
        "sub/ü.png": STREET,
    }


def test_a_spreadsheets_semicolons_are_read_and_a_comma_too_many_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    table = tmp_path / "metadata.csv"
    table.write_text(f"file_name;text\na.png;{TEXT}\n", encoding="utf-8-sig")
    assert collected(tmp_path)[0]["a.png"].text == TEXT
    table.write_text(f"file_name,text\na.png,{TEXT}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 2 of .*metadata\.csv has 3 values for 2 columns: .* quotation marks"):
        collected(tmp_path)
    table.write_text("image,text\na.png,x\n")
    with pytest.raises(ValueError, match=r"metadata\.csv has no column 'file_name': its first line is file_name,text"):
        collected(tmp_path)


@pytest.mark.parametrize(
    "table",
    ["sep=;\nfile_name;text\na.png;{}\n;\n", "file_name, text\na.png, {}\n\n", "text\tfile_name\t\n{}\ta.png\t\n"],
    ids=["Excel's own line", "blanks after commas", "tabs and a column without a name"],
)
def test_a_table_of_captions_is_read_as_other_tables_by_hand_are(tmp_path: Path, table: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text(table.format(GRASS), encoding="utf-16")
    images, left_out = collected(tmp_path)
    assert images["a.png"].text == GRASS and left_out == {}
    (tmp_path / "metadata.csv").write_text(f"file_name,text,text\na.png,{GRASS},{STREET}\n")
    with pytest.raises(ValueError, match=r"metadata\.csv has two columns 'text': keep one"):
        collected(tmp_path)


@pytest.mark.parametrize("caption", [None, "a person"])
def test_a_caption_that_is_a_link_out_of_the_folder_is_not_replaced_by_another(
    tmp_path: Path, caption: str | None
) -> None:
    own, elsewhere = tmp_path / "own", tmp_path / "elsewhere.txt"
    picture(own / "a.png")
    picture(own / "b.png")
    elsewhere.write_text("a red dog")
    (own / "a.txt").symlink_to(elsewhere)
    (own / "b.txt").write_text(GRASS)
    images, left_out = collected(own, caption, [GRASS])
    assert set(images) == {"b.png"}
    assert left_out["a.png"] == (
        "a.txt next to it is a link out of the folder, which is not followed: copy the file itself there"
    )


@pytest.mark.parametrize(
    "name",
    [
        *("a.txt.txt", "a.caption.txt", "captions/a.txt", "a.md", "a.docx", "metadata.jsonl.txt"),
        *("train.jsonl", "dataset.csv", "annotations.json"),
    ],
)
def test_the_only_target_prompt_does_not_replace_a_caption_that_is_not_read(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "pictures/a.png")
    picture(tmp_path / "pictures/b.png")
    (tmp_path / "pictures/b.txt").write_text(GRASS)
    (tmp_path / "pictures" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "pictures" / name).write_text("a red dog")
    images, left_out = collected(tmp_path, prompts=[GRASS])
    assert set(images) == {"pictures/b.png"}
    assert name in left_out["pictures/a.png"] and "write the caption to a.txt" in left_out["pictures/a.png"]


def test_a_linked_table_of_captions_is_not_replaced_by_the_only_target_prompt(tmp_path: Path) -> None:
    picture(tmp_path / "own/a.png")
    picture(tmp_path / "own/b.png")
    (tmp_path / "own/b.txt").write_text(GRASS)
    (tmp_path / "table").write_text(json.dumps(LINE))
    (tmp_path / "own/metadata.jsonl").symlink_to(tmp_path / "table")
    images, left_out = collected(tmp_path / "own", prompts=[GRASS])
    assert set(images) == {"b.png"} and "metadata.jsonl is not read" in left_out["a.png"]


def test_a_caption_of_ones_own_in_a_folder_named_after_a_prompt_is_of_that_prompt(tmp_path: Path) -> None:
    for folder in ("lying_on_the_grass", "10_lying on the street"):
        picture(tmp_path / folder / "a.png")
        (tmp_path / folder / "a.txt").write_text("an old man in the evening")
    picture(tmp_path / "lying_on_the_grass/b.png")
    (tmp_path / "lying_on_the_grass/b.txt").write_text(f"an old man {STREET}")
    images, _ = collected(tmp_path)
    assert {name: item.prompt for name, item in images.items()} == {
        "lying_on_the_grass/a.png": GRASS,
        "10_lying on the street/a.png": STREET,
        "lying_on_the_grass/b.png": STREET,
    }
    assert images["lying_on_the_grass/a.png"].text == "an old man in the evening"


def beside(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (
            beside("metadata.jsonl", '{"file_name": "aa.png", "text": "x"}'),
            "names 'aa.png', which is not in the folder",
        ),
        (beside("metadata.jsonl", '{"file_name": "/x/a.png", "text": "x"}'), "names '/x/a.png', which is not in the f"),
        (beside("metadata.jsonl", '{"file_name": "../own/a.png", "text": "x"}'), "which is not in the folder"),
        (beside("metadata.jsonl", '{"file_name": "a.png", "txt": "x"}'), "name the caption's column `text`"),
        (beside("metadata.jsonl", '{"file_name": "a.png", "text": ["x"]}'), "line 1 of metadata.jsonl is not a text"),
        (beside("metadata.jsonl", '{"file_name": "a.png", "text": " "}'), "metadata.jsonl is empty: write one"),
        (beside("metadata.jsonl", '{"file_name": "a.png", "text": "x", "caption": "y"}'), "keep one"),
        (beside("captions.json", "{}"), "captions.json is not read"),
        (beside("metadata.parquet", ""), "metadata.parquet is not read"),
        (beside("a.json", '{"caption": "x"}'), "a.json next to it is not read"),
        (beside("a.txt", " \n"), "a.txt next to it is empty"),
    ],
)
def test_a_caption_that_does_not_reach_its_picture_is_refused_and_the_others_are_kept(
    tmp_path: Path, write: Callable[[Path], object], says: str
) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    (tmp_path / "b.txt").write_text(GRASS)
    write(tmp_path)
    images, left_out = collected(tmp_path)
    assert set(images) == {"b.png"} and says in left_out["a.png"] and "\n" not in left_out["a.png"]
    (tmp_path / "a.txt").write_text(STREET)
    assert collected(tmp_path)[0]["a.png"].text == STREET, "as the sentence says"


def test_lines_of_a_table_that_name_no_file_are_counted_in_one_sentence(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    rows = [{"file_name": f"{name}.png", "text": GRASS} for name in ("a", "gone", "left", "lost")]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    images, left_out = collected(tmp_path)
    assert set(images) == {"a.png"} and left_out == {
        "metadata.jsonl": "names 'gone.png' (line 2) and 2 more, which are not in the folder: "
        "correct or remove these lines"
    }


def test_a_text_without_a_picture_is_named_with_the_fix(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "b.txt").write_text(GRASS)
    assert collected(tmp_path, "a person")[1] == {
        "b.txt": "not a JPEG, PNG or WebP picture, nor a caption of one: name it like its picture, or remove it"
    }


def test_two_captions_of_one_picture_that_differ_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    (tmp_path / "a.txt").write_text(GRASS)
    (tmp_path / "a.caption").write_text(STREET)
    (tmp_path / "b.txt").write_text(GRASS)
    assert "a.caption and a.txt next to it have different captions: keep one" in collected(tmp_path)[1]["a.png"]
    rows = [{"file_name": "a.png", "text": GRASS}, {"file_name": "A.png", "text": STREET}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(ValueError, match=r"line 2 of metadata\.jsonl and line 1 of metadata\.jsonl .*: keep one"):
        collected(tmp_path)


@pytest.mark.parametrize("folder", ["10_lying on the street", "lying_on_the_street", "1_Lying_on_the_Street"])
def test_kohyas_folders_are_read(tmp_path: Path, folder: str) -> None:
    picture(tmp_path / "grass" / folder / "a.png")
    item = collected(tmp_path)[0][f"grass/{folder}/a.png"]
    assert (item.text, item.prompt, item.caption_kind) == (STREET, STREET, "folder")
    assert ("repeats is not used" in item.provenance["caption_from"]) == folder[0].isdigit()


@pytest.mark.parametrize("folder", ["10_sks woman", "lying_on_the_stret"])
def test_a_folder_that_is_nearly_a_caption_is_refused(tmp_path: Path, folder: str) -> None:
    picture(tmp_path / folder / "a.png")
    picture(tmp_path / "holiday" / "b.png")
    (tmp_path / "holiday" / "b.txt").write_text(GRASS)
    images, left_out = collected(tmp_path)
    assert set(images) == {"holiday/b.png"}
    assert f"its folder {folder}/ is not a target prompt" in left_out[f"{folder}/a.png"]
    assert collected(tmp_path, "a person")[0][f"{folder}/a.png"].text == "a person", "that parameter says so"


def test_tables_are_checked_before_any_picture_is_read_or_bought(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "metadata.jsonl").write_bytes(b'{"file_name": "a.png", "text": "\xe9"}')
    with pytest.raises(ValueError, match=r"metadata\.jsonl is not UTF-8: save it again"):
        check(PROMPTS, settings(tmp_path))


def test_a_name_in_another_unicode_form_is_the_same_name(tmp_path: Path) -> None:
    picture(tmp_path / unicodedata.normalize("NFD", "é.png"))
    (tmp_path / unicodedata.normalize("NFC", "é.txt")).write_text(STREET)
    assert [item.text for item in collected(tmp_path)[0].values()] == [STREET]


def test_of_two_files_that_differ_in_capitals_each_has_its_own_caption(tmp_path: Path) -> None:
    for name, text in (("a", GRASS), ("A", STREET)):
        picture(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(text)
    images, _ = collected(tmp_path)
    assert {name: item.text for name, item in images.items()} in ({"a.png": GRASS, "A.png": STREET}, {"a.png": STREET})
