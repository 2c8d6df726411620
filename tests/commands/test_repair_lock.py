"""DVC's list of locks is removed where a kill cut it off, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import repair_lock
from tests.clones import run


def test_a_list_that_was_cut_off_is_removed_and_dvc_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    (tmp_path / "dvc.yaml").write_text("stages: {a: {cmd: echo 1 > b, outs: [b]}}")
    monkeypatch.chdir(tmp_path)
    repair_lock.LIST.write_text("")
    refused = run(tmp_path, "dvc", "repro", check=False)
    assert refused.returncode != 0 and "JSON structure is corrupted" in refused.stderr
    repair_lock.main()
    run(tmp_path, "dvc", "repro")
    assert (tmp_path / "b").exists()
    repair_lock.LIST.write_text("{}")
    repair_lock.main()
    assert repair_lock.LIST.read_text() == "{}"
