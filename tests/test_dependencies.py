"""docs/dependencies.md lists what `make setup` installs, and gives licences as the packages state them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from commands.dependency_docs import COPYLEFT, document, installed_packages, licence
from tests.conftest import ROOT

LOCKS = ROOT / "requirements"
PAGE = (ROOT / "docs" / "dependencies.md").read_text()


def rows(text: str) -> dict[str, tuple[str, str]]:
    """name -> (version, licence)."""
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: (row[1], row[2]) for row in cells if row[0] != "package"}


def test_every_installed_package_is_listed_with_its_version() -> None:
    listed = rows(PAGE.split("## All")[1])
    # Packages of other platforms and Python versions may be listed, or not, where the page is written elsewhere.
    assert installed_packages(LOCKS).items() <= {name: version for name, (version, _) in listed.items()}.items()
    assert not any("not installed" in named for _, named in listed.values())


def test_licences_are_those_that_the_packages_name() -> None:
    assert licence("pydantic") == "MIT" and "Apache" in licence("dvc") and "BSD" in licence("numpy")
    assert licence("no-such-package") == "not installed here"


def test_copyleft_licences_have_a_table_of_their_own() -> None:
    copyleft = rows(PAGE.split("## Copyleft")[1].split("## All")[0])
    assert copyleft and all(COPYLEFT.search(named) for _, named in copyleft.values())
    every = rows(PAGE.split("## All")[1])
    assert set(copyleft) == {name for name, (_, named) in every.items() if COPYLEFT.search(named)}


def test_the_page_is_what_the_script_writes() -> None:
    # The words of a licence may differ where another build of a package is installed; names and versions may not.
    written = document(installed_packages(LOCKS))
    assert {name: row[0] for name, row in rows(written).items()} == {name: row[0] for name, row in rows(PAGE).items()}


def test_each_finding_that_the_audit_leaves_out_has_a_reason() -> None:
    lines = (ROOT / "configs" / "audit_ignored.txt").read_text().splitlines()
    for line in (line for line in lines if line and not line.startswith("#")):
        assert re.fullmatch(r"(CVE|GHSA|PYSEC|OSV)-\S+ \S.{10,}", line), line


def test_the_audit_gets_every_lock_file_and_the_findings_to_leave_out(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "audit_ignored.txt").write_text("# Why.\nCVE-2026-1 on Windows\nGHSA-a-b never called\n")
    (tmp_path / "requirements").mkdir()
    for name in ("base", "dev", "torch", "torch-cpu"):
        (tmp_path / "requirements" / f"{name}.lock").touch()
    make = ["make", "-n", "-f", str(ROOT / "Makefile"), "audit"]
    printed = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    (audit,) = (line for line in printed.splitlines() if "pip-audit " in line)
    files = "-r requirements/base.lock -r requirements/dev.lock -r requirements/torch.lock"
    assert audit.endswith(f"{files} --ignore-vuln CVE-2026-1 --ignore-vuln GHSA-a-b")
    assert "--strict" in audit
