"""The lock files are complete, hashed, name no host, and are what is installed here."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import requires
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


def test_names_and_public_versions_are_read_from_every_file(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/base.lock").write_text("# Written.\nRuamel.Yaml_x==0.19 ; os_name == 'nt' \\\n    --hash=sha256:ab\n")
    (tmp_path / "requirements/torch.lock").write_text("torch==2.13.0+cpu \\\n    --hash=sha256:cd\nmoto[s3]==5.0\n")
    assert locked_versions(tmp_path) == {"moto": "5.0", "ruamel-yaml-x": "0.19", "torch": "2.13.0"}


def test_a_folder_without_locks_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no lock file"):
        locked_versions(tmp_path)


def test_a_difference_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/base.lock").write_text("numpy==1.0\nno-such-package==1.0\nsetuptools==1.0\n")
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
    for package in locked & set(installed_here()):
        for requirement in map(Requirement, requires(package) or []):
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            assert not wanted or canonical(requirement.name) in locked or CUDA_PACKAGE.match(requirement.name), package


def installed_here() -> list[str]:
    from importlib.metadata import distributions

    return [canonical(found.name) for found in distributions()]


def test_both_builds_of_torch_are_of_one_version() -> None:
    assert locked_in(LOCKS / "torch-cpu.lock") in ({}, locked_in(LOCKS / "torch.lock"))


def test_cuda_packages_are_needed_by_a_cuda_build_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomend.project.lock.requires", lambda name: ["sympy>=1.13", "nvidia-cublas==13; x"])
    assert needs_cuda_packages()
    monkeypatch.setattr("anomend.project.lock.requires", lambda name: ["sympy>=1.13", "setuptools"])
    assert not needs_cuda_packages()


def test_reading_the_lock_loads_nothing_heavy() -> None:
    import subprocess

    code = "import sys, anomend.project.lock; print(sorted({'torch', 'numpy', 'packaging'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
