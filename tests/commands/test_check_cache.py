"""Objects of DVC's cache that are not what their names say are removed, and nothing else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from commands import check_cache


def test_spoiled_objects_are_removed_and_outputs_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    objects = {}
    for content, ending in ((b"picture", ""), (b"tensor", ""), (b"[]", ".dir")):
        digest = hashlib.md5(content).hexdigest()
        objects[content] = path = check_cache.CACHE / digest[:2] / f"{digest[2:]}{ending}"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    check_cache.LOCK.write_text("stages: {encode: {outs: [{path: data/encoded}, {path: gone}]}}")
    restored = Path("data/encoded/x")
    restored.parent.mkdir(parents=True)
    restored.write_bytes(b"tensor")
    os.utime(restored, (0, 0))

    check_cache.main()
    assert "0 broken objects of 3 in" in capsys.readouterr().out and restored.stat().st_mtime == 0
    objects[b"tensor"].write_bytes(b"tensoR")
    check_cache.main()
    assert "1 broken objects" in capsys.readouterr().out and restored.stat().st_mtime > 0
    assert [path.exists() for path in objects.values()] == [True, False, True]
