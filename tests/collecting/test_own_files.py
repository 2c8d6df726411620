"""Which files of a user's folder are read: none behind a link out of it, and nothing is passed over in silence."""

from __future__ import annotations

import os
from pathlib import Path

from anomend.collecting.own_files import own_files


def test_links_out_of_the_folder_are_named_and_not_followed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    for each in (folder, elsewhere):
        each.mkdir()
        (each / "a.png").write_bytes(b"x")
    (folder / "private.png").symlink_to(elsewhere / "a.png")
    (folder / "relative.png").symlink_to("../elsewhere/a.png")
    (folder / "sub").symlink_to(elsewhere)
    (folder / "gone.png").symlink_to(elsewhere / "b.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "again.png").symlink_to("a.png")
    os.mkfifo(folder / "pipe.png")
    own = own_files(folder)
    assert [path.name for path in own.files] == ["a.png", "again.png"]
    reasons = {each.name: each.reason for each in own.refused}
    assert reasons["private.png"] == reasons["relative.png"]
    assert reasons["private.png"] == "a link out of the folder, which is not followed: copy the file itself there"
    assert reasons["sub"] == "a link to a folder, which is not followed: copy the folder itself there"
    assert reasons["gone.png"] == reasons["loop.png"] == "a link to nothing: remove it, or copy the file itself there"
    assert reasons["pipe.png"] == "not a file: remove it"


def test_a_folder_that_is_a_link_itself_is_read(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.png").write_bytes(b"x")
    (tmp_path / "own").symlink_to("there")
    own = own_files(tmp_path / "own")
    assert own.files == [tmp_path / "own/a.png"] and own.refused == []


def test_links_that_dvc_made_to_its_cache_are_read(tmp_path: Path) -> None:
    content = tmp_path / "cache/files/md5/ab" / ("0" * 30)
    content.parent.mkdir(parents=True)
    content.write_bytes(b"x")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/a.png").symlink_to(content)
    assert own_files(tmp_path / "own").files == [tmp_path / "own/a.png"]


def test_hidden_files_and_dvcs_notes_are_not_named(tmp_path: Path) -> None:
    for name in (".hidden.png", "pictures.dvc", "a.png"):
        (tmp_path / name).write_bytes(b"x")
    assert own_files(tmp_path).files == [tmp_path / "a.png"] and own_files(tmp_path).refused == []


def test_archives_are_named_with_the_fix(tmp_path: Path) -> None:
    for name in ("photos.zip", "more.TAR", "set.tar.gz"):
        (tmp_path / name).write_bytes(b"x")
    own = own_files(tmp_path)
    assert own.files == [] and [each.name for each in own.refused] == ["more.TAR", "photos.zip", "set.tar.gz"]
    assert all(each.reason.endswith("unpack it there") for each in own.refused)
