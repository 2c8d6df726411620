"""The lock: exact versions of every package, in `requirements/*.lock`, and what is installed differently here.

    base.lock        what the pipeline imports, except torch
    torch.lock       torch from the public index: a CUDA build on Linux
    cuda.lock        what a CUDA build of torch needs besides
    torch-cpu.lock   the CPU build of torch for Linux, where pip is configured to find one; it is tried first
    build.lock       setuptools, which builds the one package that has no wheel
    dev.lock, ...    what each optional extra of pyproject.toml needs besides

Each file is a requirements file of pip with hashes and markers; `make lock` writes them.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import requires
from pathlib import Path

LOCKS = Path("requirements")
"""Folder of the lock files, from the project's root."""
INSTALLERS = ("pip", "setuptools", "wheel")
"""Packages that install others: their version does not change a result, and a virtual environment brings its own."""
CUDA_PACKAGE = re.compile(r"nvidia-|cuda-|triton$")
"""Canonical names of packages that only a CUDA build of torch requires."""
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)")


def canonical(name: str) -> str:
    """A package's name as PEP 503 spells it: lower case, with hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()


def public_version(version: str) -> str:
    """A version without its local part: `2.13.0` of `2.13.0+cpu`."""
    return version.split("+")[0]


def requirement_blocks(text: str) -> dict[str, str]:
    """The requirements of a lock file: canonical name -> its lines (version, marker, hashes)."""
    blocks: dict[str, str] = {}
    name = None
    for line in text.splitlines():
        if match := _REQUIREMENT.match(line):
            name = canonical(match["name"])
            blocks[name] = line
        elif name and line.startswith(" "):
            blocks[name] += f"\n{line}"
    return blocks


def locked_versions(folder: Path = Path()) -> dict[str, str]:
    """Every locked package of every lock file: canonical name -> version without local part.

    Args:
        folder: the project's root.

    Raises:
        FileNotFoundError: there is no lock file.
    """
    files = sorted((folder / LOCKS).glob("*.lock"))
    if not files:
        raise FileNotFoundError(f"{folder / LOCKS} has no lock file: run from the project's root, or run `make lock`")
    versions: dict[str, str] = {}
    for file in files:
        versions |= locked_in(file)
    return dict(sorted(versions.items()))


def locked_in(file: Path) -> dict[str, str]:
    """The packages of one lock file: canonical name -> version without local part."""
    matches = map(_REQUIREMENT.match, file.read_text(encoding="utf-8").splitlines())
    return {canonical(match["name"]): public_version(match["version"]) for match in matches if match}


def installed_versions() -> dict[str, str]:
    """Every installed package: canonical name -> version without local part.

    Read from the names of the packages' `.dist-info` folders, in the order in which Python searches them: every stage
    asks, and reading each package's metadata would take it 0.2 seconds.
    """
    installed: dict[str, str] = {}
    for folder in map(Path, sys.path):
        for path in folder.glob("*.dist-info"):
            name, _, version = path.name.removesuffix(".dist-info").partition("-")
            installed.setdefault(canonical(name), public_version(version))
    return installed


def environment_differences(folder: Path = Path()) -> list[str]:
    """One sentence for each installed package whose version is not the locked one; none where the lock is installed.

    Installed packages that are not locked, and locked packages that are not installed, are not compared.

    Args:
        folder: the project's root.
    """
    locked, installed = locked_versions(folder), installed_versions()
    return [
        f"{name} {installed[name]} is installed, but {locked[name]} is locked: `make setup` installs the locked one"
        for name in sorted(installed.keys() & locked.keys())
        if name not in INSTALLERS and installed[name] != locked[name]
    ]


def needs_cuda_packages() -> bool:
    """Whether the installed torch is a CUDA build, by what it requires; importing it would need these packages."""
    return any(CUDA_PACKAGE.match(canonical(requirement)) for requirement in requires("torch") or [])
