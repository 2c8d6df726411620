"""docs/dependencies.md lists what is locked, and tells licences as the packages do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from commands.dependency_docs import COPYLEFT, document, licence, locked
from tests.conftest import ROOT

LOCK = (ROOT / "requirements.lock").read_text()
PAGE = (ROOT / "docs" / "dependencies.md").read_text()


def rows(text: str) -> dict[str, tuple[str, str]]:
    """name -> (version, licence)."""
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: (row[1], row[2]) for row in cells if row[0] != "package"}


def test_every_locked_package_stands_there_with_its_version() -> None:
    listed = rows(PAGE.split("## All")[1])
    assert {name: version for name, (version, _) in listed.items()} == locked(LOCK)
    assert not any("not installed" in named for _, named in listed.values())


def test_licences_are_those_that_the_packages_name() -> None:
    assert licence("pydantic") == "MIT" and "Apache" in licence("dvc") and "BSD" in licence("numpy")
    assert licence("no-such-package") == "not installed here"


def test_copyleft_is_told_apart() -> None:
    bound = rows(PAGE.split("## Copyleft")[1].split("## All")[0])
    assert bound and all(COPYLEFT.search(named) for _, named in bound.values())
    assert set(bound) == {name for name, (_, named) in rows(PAGE.split("## All")[1]).items() if COPYLEFT.search(named)}


def test_the_page_is_what_the_script_writes() -> None:
    # The words of a licence may differ where another build of a package is installed; names and versions may not.
    assert {name: found[0] for name, found in rows(document(LOCK)).items()} == {n: f[0] for n, f in rows(PAGE).items()}


def test_each_finding_that_the_audit_leaves_out_has_a_reason() -> None:
    lines = (ROOT / "configs" / "audit_ignored.txt").read_text().splitlines()
    for line in (line for line in lines if line and not line.startswith("#")):
        assert re.fullmatch(r"(CVE|GHSA|PYSEC|OSV)-\S+ \S.{10,}", line), line


def test_the_audit_hands_over_what_is_left_out_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "audit_ignored.txt").write_text("# Why.\nCVE-2026-1 on Windows\nGHSA-a-b never called\n")
    make = ["make", "-n", "-f", str(ROOT / "Makefile"), "audit"]
    said = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    (audit,) = (line for line in said.splitlines() if "pip-audit " in line)
    assert audit.endswith("-r requirements.lock --ignore-vuln CVE-2026-1 --ignore-vuln GHSA-a-b")
    assert "--strict" in audit
