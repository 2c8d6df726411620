"""The user's pictures: every format is read as a viewer shows it, and files that are not pictures are reported."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomend.collecting.folder import collect as collect_folder
from anomend.collecting.image import FolderSettings, Skipped, SourceImage, SourceSettings
from tests.collecting.pictures import drawing, fill

PROMPTS = ["lying on the grass", "lying on the street"]
CHANGES = {
    "turned.jpeg": "turned upright",
    "alpha.png": "transparency on white",
    "grey.png": "greyscale",
    "print.jpg": "CMYK",
}


def collect(
    folder: Path, count: int = 100, caption: str | None = "lying on the grass"
) -> tuple[dict[str, SourceImage], dict[str, str]]:
    """Images by original name, and reasons by skipped file."""
    settings = SourceSettings(folder=FolderSettings(path=folder, caption=caption))
    items = list(collect_folder(PROMPTS, count, settings))
    images = {item.provenance["original"]: item for item in items if isinstance(item, SourceImage)}
    return images, {item.name: item.reason for item in items if isinstance(item, Skipped)}


def test_every_kind_of_picture_is_read_as_it_is_seen(tmp_path: Path) -> None:
    shown = fill(tmp_path)
    images, skipped = collect(tmp_path)
    assert set(images) == set(shown)
    for name, item in images.items():
        difference = np.abs(item.image.astype(int) - shown[name])
        # JPEG at its best quality still moves single values.
        assert difference.max() <= (12 if name.endswith(("jpg", "jpeg")) else 0), name
        assert CHANGES.get(name, "") in " ".join(item.provenance["changes"])
        assert bool(item.provenance["changes"]) == (name in CHANGES)
    assert set(skipped) == {"corrupt.png", "notes.txt"}
    assert "cut off" in skipped["corrupt.png"] and "not a JPEG" in skipped["notes.txt"]


def test_at_most_as_many_as_asked_for_and_the_rest_is_named(tmp_path: Path) -> None:
    shown = fill(tmp_path)
    images, skipped = collect(tmp_path, count=3)
    assert len(images) == 3
    beyond = {name for name, reason in skipped.items() if "beyond the 3" in reason}
    assert set(shown) - set(images) == beyond and "not a JPEG" in skipped["notes.txt"]


def test_captions_come_from_the_nearest_place_that_has_one(tmp_path: Path) -> None:
    named = ("Lying on the street (2).png", "holiday/lying_on_the_grass-07.png")
    for name in (*named, "beside.png", "listed.png", "lying_on_the_street/inner.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(drawing()).save(tmp_path / name)
    (tmp_path / "beside.txt").write_text("an old man lying on the grass\n")
    line = {"file_name": "listed.png", "text": "lying on the street, at dusk"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(line) + "\n")
    images, skipped = collect(tmp_path, caption=None)
    captions = {name: (item.text, item.prompt, item.provenance["caption_from"]) for name, item in images.items()}
    assert captions == {
        named[0]: ("lying on the street", "lying on the street", "fallback"),
        named[1]: ("lying on the grass", "lying on the grass", "fallback"),
        "beside.png": ("an old man lying on the grass", "lying on the grass", "beside.txt"),
        "listed.png": ("lying on the street, at dusk", "lying on the street", "line 1 of metadata.jsonl"),
        "lying_on_the_street/inner.png": ("lying on the street", "lying on the street", "lying_on_the_street/"),
    }
    assert not skipped
    assert collect(tmp_path, caption="a person")[0][named[0]].text == "a person"


@pytest.mark.parametrize("name", ["plain.png", "lying on the grassland.png", "a man lying on the grass.png"])
def test_a_picture_whose_prompt_cannot_be_told_is_left_out_with_the_fix(tmp_path: Path, name: str) -> None:
    for each in (name, "lying_on_the_grass.png"):
        Image.fromarray(drawing()).save(tmp_path / each)
    images, skipped = collect(tmp_path, caption=None)
    assert set(images) == {"lying_on_the_grass.png"} and set(skipped) == {name}
    assert skipped[name].startswith("has no caption, and there are 2 target prompts: put it into a folder named after")
    (tmp_path / "lying_on_the_grass.png").unlink()
    with pytest.raises(ValueError, match="no readable JPEG, PNG or WebP picture with a caption"):
        collect(tmp_path, caption=None)
    settings = SourceSettings(folder=FolderSettings(path=tmp_path))
    (item,) = collect_folder(PROMPTS[1:], 1, settings)
    assert isinstance(item, SourceImage) and item.text == "lying on the street"


def test_two_folders_of_25_and_20_wanted_give_ten_of_each(tmp_path: Path) -> None:
    for folder in ("lying_on_the_grass", "lying_on_the_street"):
        (tmp_path / folder).mkdir()
        for number in range(25):
            Image.fromarray(drawing()[:8, :8]).save(tmp_path / folder / f"{number:02d}.png")
    # The first eleven of one folder cannot be read: the next ones take their turns.
    for number in range(11):
        (tmp_path / f"lying_on_the_street/{number:02d}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    images, skipped = collect(tmp_path, count=20)
    assert [item.prompt for item in images.values()] == PROMPTS * 10
    assert [name for name in images if "street" in name] == [f"lying_on_the_street/{n}.png" for n in range(11, 21)]
    beyond = {name for name, reason in skipped.items() if "beyond the 20" in reason}
    assert len(beyond) == 19 and len(skipped) == 30


def test_pictures_that_fit_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number, prompt in enumerate([PROMPTS[1], PROMPTS[1], PROMPTS[0]]):
        Image.fromarray(drawing()).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(prompt)
    assert list(collect(tmp_path, count=3)[0]) == ["0.png", "1.png", "2.png"]
    assert list(collect(tmp_path, count=2)[0]) == ["2.png", "0.png"]


def test_a_broken_line_of_metadata_is_named(tmp_path: Path) -> None:
    Image.fromarray(drawing()).save(tmp_path / "a.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "x"}\n{"file_na')
    with pytest.raises(ValueError, match="line 2 of"):
        collect(tmp_path)


def test_hidden_files_are_not_candidates(tmp_path: Path) -> None:
    Image.fromarray(drawing()).save(tmp_path / "a.png")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "b.png").write_bytes(b"x")
    images, skipped = collect(tmp_path)
    assert set(images) == {"a.png"} and not skipped


@pytest.mark.parametrize("there", [True, False])
def test_no_folder_and_no_picture_are_one_sentence(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "own"
    if there:
        folder.mkdir()
        (folder / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match="put your pictures there"):
        collect(folder)


def test_names_with_markup_and_foreign_letters_are_kept_and_control_characters_reported(tmp_path: Path) -> None:
    names = ["<script>.png", "{{ 7 * 7 }}.png", "名前 \u202f Ä.png", "a|b`c`.png"]
    for name in [*names, "esc\x1b[2J.png", os.fsdecode(b"latin\xe9.png")]:
        Image.fromarray(drawing()).save(tmp_path / name)
    images, skipped = collect(tmp_path)
    assert set(images) == set(names)
    assert set(skipped) == {"esc\\x1b[2J.png", "latin\\udce9.png"}
    assert all("rename it" in reason for reason in skipped.values())


def test_a_caption_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    Image.fromarray(drawing()).save(tmp_path / "a.png")
    (tmp_path / "metadata.jsonl").write_bytes('{"file_name": "a.png", "text": "schön"}'.encode("latin-1"))
    with pytest.raises(ValueError, match="is not UTF-8: save it again"):
        collect(tmp_path)


def test_what_may_not_be_read_is_named_with_the_fix() -> None:
    # Root may read everything, so a child process gives up its rights.
    with tempfile.TemporaryDirectory() as temporary:
        folder, shut = Path(temporary) / "own", Path(temporary) / "shut"
        for one in (folder, shut):
            one.mkdir()
            for name in ("a.png", "b.png"):
                Image.fromarray(drawing()).save(one / name)
        Path(temporary).chmod(0o755)
        (folder / "b.png").chmod(0)
        shut.chmod(0)
        answer, write = os.pipe()
        if (child := os.fork()) == 0:
            try:
                if os.geteuid() == 0:
                    os.setuid(65534)
                message = collect(folder)[1]["b.png"]
                try:
                    collect(shut)
                except ValueError as error:
                    message += f"|{error}"
            except BaseException as error:
                message = repr(error)
            os.write(write, message.encode())
            os._exit(0)
        os.waitpid(child, 0)
        messages = os.read(answer, 4096).decode()
        shut.chmod(stat.S_IRWXU)
    assert messages.split("|")[0] == "may not be read: give yourself permission (chmod u+r)"
    assert messages.endswith("/shut may not be read: give yourself permission (chmod u+rx)")
