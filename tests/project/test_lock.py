"""The lock files are complete, hashed, name no host, and are what is installed here."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from anomend.project.lock import (
    CUDA_PACKAGE,
    canonical,
    environment_differences,
    locked_in,
    locked_versions,
    needs_cuda_packages,
    requirement_blocks,
)
from tests.conftest import ROOT

LOCKS = ROOT / "requirements"
FILES = sorted(LOCKS.glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SETUP = ("base", "torch", "dev", "build")


def write_locks(root: Path, **files: str) -> None:
    (root / "requirements").mkdir()
    for name, text in files.items():
        (root / "requirements" / f"{name}.lock").write_text(text)


def test_names_and_public_versions_are_read_from_every_file(tmp_path: Path) -> None:
    base = "# Written.\nRuamel.Yaml_x==0.19 ; os_name == 'nt' \\\n    --hash=sha256:ab\n"
    write_locks(tmp_path, base=base, torch="torch==2.13.0+cpu \\\n    --hash=sha256:cd\nmoto[s3]==5.0\n")
    assert locked_versions(tmp_path) == {"moto": "5.0", "ruamel-yaml-x": "0.19", "torch": "2.13.0"}


def test_a_folder_without_locks_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no lock file"):
        locked_versions(tmp_path)


def test_a_difference_is_one_sentence(tmp_path: Path) -> None:
    write_locks(tmp_path, base="numpy==1.0\nno-such-package==1.0\nsetuptools==1.0\n")
    (sentence,) = environment_differences(tmp_path)
    assert re.fullmatch(r"numpy \S+ is installed, but 1\.0 is locked: `make setup` installs the locked one", sentence)


def test_the_tests_run_in_the_locked_environment() -> None:
    assert environment_differences(ROOT) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_requirement_has_a_hash_and_no_host_is_named(file: Path) -> None:
    text = file.read_text()
    blocks = requirement_blocks(text)
    assert blocks and all("--hash=sha256:" in block for block in blocks.values())
    assert "://" not in text and "--index" not in text


@pytest.mark.parametrize("extra", [None, *PROJECT["optional-dependencies"]])
def test_each_requirement_of_the_project_is_locked_at_a_version_that_it_allows(extra: str | None) -> None:
    asked = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    files = [*SETUP, extra] if extra else ["base", "torch"]
    locked = {name: version for file in files for name, version in locked_in(LOCKS / f"{file}.lock").items()}
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(locked[canonical(requirement.name)], prereleases=True), requirement


def test_all_that_the_locked_packages_require_here_is_locked() -> None:
    locked = {name for file in SETUP for name in locked_in(LOCKS / f"{file}.lock")}
    for package in locked & {canonical(found.name) for found in distributions()}:
        for requirement in map(Requirement, requires(package) or []):
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            assert not wanted or canonical(requirement.name) in locked or CUDA_PACKAGE.match(requirement.name), package


def test_both_builds_of_torch_are_of_one_version() -> None:
    torch = locked_in(LOCKS / "torch.lock")
    assert list(torch) == ["torch"]
    assert all(locked_in(file) == torch for file in LOCKS.glob("torch-cpu.lock"))


def test_cuda_packages_are_needed_by_a_cuda_build_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomend.project.lock.requires", lambda name: ["sympy>=1.13", "nvidia-cublas==13; x"])
    assert needs_cuda_packages()
    monkeypatch.setattr("anomend.project.lock.requires", lambda name: ["sympy>=1.13", "setuptools"])
    assert not needs_cuda_packages()


def test_reading_the_lock_loads_nothing_heavy() -> None:
    code = "import sys, anomend.project.lock; print(sorted({'torch', 'numpy', 'packaging'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
