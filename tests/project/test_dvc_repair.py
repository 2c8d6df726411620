"""DVC's own files are repaired, and nothing else is touched."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from anomend.project.dvc_repair import remove_broken_objects, remove_truncated_rwlock
from tests.clones import run


def test_corrupted_objects_are_deleted_and_dvc_hashes_the_outputs_again(tmp_path: Path) -> None:
    cache, lock = tmp_path / "cache", tmp_path / "dvc.lock"
    objects = {}
    for content, ending in ((b"picture", ""), (b"tensor", ""), (b"[]", ".dir")):
        digest = hashlib.md5(content).hexdigest()
        objects[content] = path = cache / digest[:2] / f"{digest[2:]}{ending}"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    lock.write_text("stages: {encode: {outs: [{path: data/encoded}, {path: missing}]}}")
    restored = tmp_path / "data/encoded/x"
    restored.parent.mkdir(parents=True)
    restored.write_bytes(b"tensor")
    os.utime(restored, (0, 0))

    assert remove_broken_objects(cache, lock) == (0, 3)
    assert restored.stat().st_mtime == 0
    objects[b"tensor"].write_bytes(b"tensoR")
    assert remove_broken_objects(cache, lock) == (1, 3)
    assert restored.stat().st_mtime > 0
    assert [path.exists() for path in objects.values()] == [True, False, True]


def test_what_is_no_object_stays_in_the_cache(tmp_path: Path) -> None:
    folder = tmp_path / hashlib.md5(b"picture").hexdigest()[:2]
    (folder / f"{'0' * 30}.unpacked").mkdir(parents=True)
    (folder / hashlib.md5(b"picture").hexdigest()[2:]).write_bytes(b"picture")
    written = [folder / ".4iXwD3kq.tmp", folder / "README"]
    for path in written:
        path.write_bytes(b"half of a download that goes on")
    (folder / ("1" * 30)).symlink_to(tmp_path / "a disk that is not there")
    assert remove_broken_objects(tmp_path, tmp_path / "dvc.lock") == (0, 1)
    assert all(path.exists() for path in written) and (folder / ("1" * 30)).is_symlink()


def test_a_truncated_list_is_deleted_and_dvc_goes_on(tmp_path: Path) -> None:
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    (tmp_path / "dvc.yaml").write_text("stages: {a: {cmd: echo 1 > b, outs: [b]}}")
    temporary = tmp_path / ".dvc/tmp"
    (temporary / "rwlock").write_text("")
    refused = run(tmp_path, "dvc", "repro", check=False)
    assert refused.returncode != 0 and "JSON structure is corrupted" in refused.stderr
    assert remove_truncated_rwlock(temporary)
    run(tmp_path, "dvc", "repro")
    assert (tmp_path / "b").exists()
    (temporary / "rwlock").write_text("{}")
    assert not remove_truncated_rwlock(temporary)
    assert (temporary / "rwlock").read_text() == "{}"
