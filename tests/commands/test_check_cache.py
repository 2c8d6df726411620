"""`make check-cache`: it checks the cache that DVC uses, wherever that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands.check_cache import main
from tests.clones import run


def test_a_cache_elsewhere_is_checked_and_an_empty_one_is_no_good_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "a large disk"
    project.mkdir()
    run(project, "git", "init", "-q")
    run(project, "dvc", "init", "-q")
    run(project, "dvc", "cache", "dir", "--local", str(elsewhere))
    monkeypatch.chdir(project)
    with pytest.raises(ValueError, match=r"a large disk/files/md5 is missing or empty, so nothing was checked: run"):
        main()
    (project / "picture").write_bytes(b"pixels")
    run(project, "dvc", "add", "-q", "picture")
    main()
    assert "0 of 1 entries in" in capsys.readouterr().out
    (entry,) = elsewhere.glob("files/md5/??/*")
    entry.chmod(0o644)
    entry.write_bytes(b"pixelz")
    main()
    assert "1 of 1 entries" in capsys.readouterr().out and not entry.exists()
