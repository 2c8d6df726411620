"""A dvc.lock that a kill cut off anywhere is restored; one that is whole never is."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.serialize import dumps_yaml

from anomend.project.lock_copy import COPY, keep_lock
from anomend.project.truncated_lock import REFUSED, is_truncated, restore_truncated_lock
from tests.clones import run
from tests.conftest import ROOT


def read(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)  # As `yaml.safe_load`, but ten times as fast.


KEPT = (ROOT / "dvc.lock").read_text()
STAGES = list(read(KEPT)["stages"])
HASH = "    hash:"
"""What DVC refuses at the end of the file: a hash without its name."""
CUTS = 15


def rewritten(stage: str) -> str:
    """The lock as DVC writes it after a stage whose output has changed."""
    content = read(KEPT)
    content["stages"][stage]["outs"][0]["size"] = 123456789
    return dumps_yaml(content)


def test_dvc_writes_the_lock_as_it_is_read_here() -> None:
    assert dumps_yaml(read(KEPT)) == KEPT


@pytest.mark.parametrize("stage", [STAGES[0], STAGES[7], STAGES[-1]])
def test_cut_anywhere_no_other_stage_loses_its_record(tmp_path: Path, stage: str) -> None:
    rng, text, lock = random.Random(stage), rewritten(stage), tmp_path / "dvc.lock"
    others = {name: entry for name, entry in read(KEPT)["stages"].items() if name != stage}
    line_ends = [place + 1 for place, letter in enumerate(text[:-1]) if letter == "\n"]
    for cut in [0, *rng.sample(range(1, len(text)), CUTS), *rng.sample(line_ends, CUTS)]:
        lock.write_text(KEPT)
        keep_lock(lock, tmp_path)
        lock.write_text(text[:cut])
        restored = restore_truncated_lock(lock, tmp_path)
        left = read(lock.read_text())["stages"]
        assert {name: left.get(name) for name in others} == others, f"cut at {cut}"
        assert not restored or (tmp_path / REFUSED).read_text() == text[:cut]


def test_what_is_whole_stays() -> None:
    content = read(KEPT)
    older = dumps_yaml(content | {"stages": {name: content["stages"][name] for name in STAGES[:-4]}})
    older = older.replace("size: 1", "size: 2")
    for whole in (KEPT, older, *map(rewritten, STAGES[::4])):
        assert not is_truncated(whole, KEPT)
    assert not is_truncated(KEPT, "") and not is_truncated(KEPT, older)
    assert not is_truncated(KEPT.replace("stages:", "<<<<<<< HEAD\nstages:\n=======\nstages:\n>>>>>>> other"), KEPT)


def test_the_first_record_of_all_is_taken_back(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    keep_lock(lock, tmp_path / "missing")
    keep_lock(lock, tmp_path)
    assert (tmp_path / COPY).read_bytes() == b"" and not (tmp_path / "missing").exists()
    assert not restore_truncated_lock(lock, tmp_path)
    lock.write_text(KEPT[: KEPT.index(HASH) + len(HASH)])
    assert restore_truncated_lock(lock, tmp_path) and not lock.exists()


def test_dvc_goes_on(tmp_path: Path) -> None:
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    (tmp_path / "dvc.yaml").write_text(
        "stages: {a: {cmd: echo 1 > b, outs: [b]}, c: {cmd: cat b > d, deps: [b], outs: [d]}}\n"
    )
    run(tmp_path, "dvc", "repro")
    lock, temporary = tmp_path / "dvc.lock", tmp_path / ".dvc/tmp"
    keep_lock(lock, temporary)
    lock.write_text(lock.read_text()[: lock.read_text().rindex(HASH) + len(HASH)])
    assert "validation failed" in run(tmp_path, "dvc", "repro", check=False).stderr
    assert restore_truncated_lock(lock, temporary)
    assert "Running stage" not in run(tmp_path, "dvc", "repro").stdout


def test_what_another_dvc_is_writing_is_left_to_it(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text(KEPT)
    keep_lock(lock, tmp_path)
    lock.write_text(KEPT[:2000])
    script = "import sys, zc.lockfile; held = zc.lockfile.LockFile(sys.argv[1]); print(); sys.stdin.read()"
    held = [sys.executable, "-c", script, str(tmp_path / "lock")]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdin
        other.stdout.readline()
        assert not restore_truncated_lock(lock, tmp_path)
        other.stdin.close()
    assert restore_truncated_lock(lock, tmp_path) and lock.read_text() == KEPT
