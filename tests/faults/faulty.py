"""What the tests of faults share: the outputs of a clone by their content, kills, and what a user got to read."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.clones import killed, run, start
from tests.conftest import ROOT


def stage_names() -> list[str]:
    """Every stage of dvc.yaml, a matrix by its members."""
    names = []
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items():
        members = [f"{name}@{member}" for values in stage.get("matrix", {}).values() for member in values]
        names += members or [name]
    return names


def outputs(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of every output that dvc.lock names, read from the disk, not from DVC's records."""
    lock = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    declared = [folder / out["path"] for stage in lock.values() for out in stage.get("outs", [])]
    files = [file for out in declared for file in (sorted(out.rglob("*")) if out.is_dir() else [out])]
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if file.is_file()
    }


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Files that are gone, are other than they were, or have come to be."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def forget(folder: Path, stage: str) -> None:
    """Make DVC forget that a stage ever ran: else it restores lost outputs, and nothing is computed again."""
    shutil.rmtree(folder / ".dvc" / "cache" / "runs", ignore_errors=True)
    content = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))
    content["stages"].pop(stage, None)
    (folder / "dvc.lock").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def killed_after(folder: Path, seconds: float, *command: str) -> bool:
    """Start a command and kill its whole group (SIGKILL) after so many seconds; False where it had already ended."""
    process = start(folder, *command)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        killed(process)
        return True
    return False


def repro(folder: Path) -> tuple[subprocess.CompletedProcess[str], bool]:
    """`dvc repro` as `make repro` calls it, and whether a file of DVC had to be repaired first."""
    repaired = "truncated" in run(folder, "python", "-m", "commands.repair_lock").stdout
    return run(folder, "dvc", "repro", check=False), repaired


def last_line(text: str) -> str:
    """The last line of an output that is not empty."""
    return ([line.strip() for line in text.splitlines() if line.strip()] or [""])[-1]
