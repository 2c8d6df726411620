"""Write the lock files from pyproject.toml, or check that they can be installed: `make lock`, `make lock-check`.

Runs on the standard library and uv, in an environment of its own, because the project's environment comes from the lock.
Versions that are locked already stay, unless pyproject.toml rules them out or `--upgrade` names their package.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from anomend.project.lock import CUDA_PACKAGE, LOCKS, requirement_blocks

PROJECT = Path("pyproject.toml")
OLDEST_PYTHON = "3.11"
PYTHONS = ("3.11", "3.12", "3.13")
BUILD = ("setuptools",)
"""What builds packages from source; installed first, so that pip fetches nothing without a hash."""
LINUX, MAC = "x86_64-manylinux_2_28", "aarch64-apple-darwin"


def uv(*words: str, text: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run uv, with `text` as its input."""
    return subprocess.run(
        [sys.executable, "-m", "uv", *words],
        env=os.environ | environment,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def compiled(source: str, *words: str, text: str | None = None) -> str:
    """The lock of requirements for every platform and supported Python, with markers.

    Raises:
        ValueError: no versions fit each other.
    """
    options = ["--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes", "--no-annotate", "--no-header"]
    done = uv("pip", "compile", source, *options, "--quiet", *words, text=text)
    if done.returncode:
        raise ValueError(done.stderr.strip())
    return done.stdout


def locked_now(folder: Path) -> str:
    """All lock files as one: the versions that stay."""
    return "".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.lock")))


def extras() -> list[str]:
    """Names of the project's optional extras."""
    return list(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"])


def lock_files(upgrade: list[str], folder: Path = LOCKS) -> dict[str, dict[str, str]]:
    """What each lock file is to hold: name of the file -> canonical name of a package -> its lines."""
    with tempfile.TemporaryDirectory() as temporary:
        pins = Path(temporary) / "all.txt"
        pins.write_text(locked_now(folder), encoding="utf-8")
        upgrades = [word for name in upgrade for word in ("--upgrade-package", name)]
        compiled(str(PROJECT), "--all-extras", "--output-file", str(pins), *upgrades)
        constraint = ("--constraint", str(pins))
        base = requirement_blocks(compiled(str(PROJECT), *constraint))
        build = requirement_blocks(compiled("-", *constraint, text="\n".join(BUILD)))
        torch = requirement_blocks(compiled("-", *constraint, text="torch"))
        more = {name: requirement_blocks(compiled(str(PROJECT), "--extra", name, *constraint)) for name in extras()}
    cuda = {name: block for name, block in torch.items() if CUDA_PACKAGE.match(name)}
    apart = {"torch": torch["torch"], **cuda, **build}
    files = {name: {n: b for n, b in found.items() if base.get(n) != b} for name, found in more.items()}
    files |= {"base": base}
    kept = {name: {n: b for n, b in found.items() if n not in apart} for name, found in files.items()}
    return kept | {"torch": {"torch": torch["torch"]}, "cuda": cuda, "build": build}


def hash_of_the_build_that_pip_finds(requirement: str) -> str:
    """SHA-256 of the file that `pip install` would take here: another build than that of the public index, where pip is
    configured so."""
    words = ["install", "--quiet", "--dry-run", "--no-deps", "--ignore-installed", "--report", "-", requirement]
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=True)
    (found,) = json.loads(done.stdout)["install"]
    if known := found["download_info"]["archive_info"].get("hashes", {}).get("sha256"):
        return str(known)
    file = Path(url2pathname(urlparse(found["download_info"]["url"]).path))
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def with_hashes(block: str, hashes: set[str]) -> str:
    """The lines of one requirement with further hashes."""
    head, *listed = (line.removesuffix("\\").strip() for line in block.splitlines())
    every = sorted({*listed, *(f"--hash=sha256:{value}" for value in hashes)})
    return " \\\n    ".join([head, *every])


def hashes_of(block: str) -> set[str]:
    """SHA-256 sums that the lines of one requirement allow."""
    return {line.split("sha256:")[1].removesuffix("\\").strip() for line in block.splitlines() if "sha256:" in line}


def write(upgrade: list[str], folder: Path = LOCKS) -> None:
    """Write every lock file."""
    before = requirement_blocks(locked_now(folder)).get("torch", "")
    files = lock_files(upgrade, folder)
    torch = files["torch"]["torch"]
    requirement = torch.split()[0]
    # A build that another machine added stays, as long as the version does.
    added = hashes_of(before) if before.startswith(f"{requirement} ") else set()
    files["torch"]["torch"] = with_hashes(torch, added | {hash_of_the_build_that_pip_finds(requirement)})
    folder.mkdir(exist_ok=True)
    for name, blocks in files.items():
        text = "".join(f"{block}\n" for block in blocks.values())
        (folder / f"{name}.lock").write_text("# Written by `make lock`.\n" + text, encoding="utf-8")
        print(f"{folder / name}.lock: {len(blocks)} packages")


def dry_run(platform: str, python: str, *words: str, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Resolve the lock for a platform and a Python without installing, every file by its hash."""
    files = [word for file in sorted(LOCKS.glob("*.lock")) if file.stem not in without for word in ("-r", str(file))]
    with tempfile.TemporaryDirectory() as target:
        options = ["--dry-run", "--require-hashes", "--python-platform", platform, "--python-version", python]
        # The oldest macOS that every package has a wheel for.
        return uv("pip", "install", *options, "--target", target, *words, *files, MACOSX_DEPLOYMENT_TARGET="14.0")


def check() -> int:
    """Resolve the lock for each platform and Python, and print one line each; 1 where one does not resolve.

    With CUDA and on macOS uv also checks that every dependency is locked. On Linux without CUDA torch is the build that
    pip would find here, and cuda.lock is left out, as `make setup` does for a CPU build.
    """
    local = os.environ.get("PIP_FIND_LINKS")
    of_pip = ["--no-deps", *(["--find-links", local] if local else [])]
    failed = 0
    for python in PYTHONS:
        runs = {
            "Linux x86_64, CUDA": dry_run(LINUX, python),
            "Linux x86_64, CPU": dry_run(LINUX, python, *of_pip, without=("cuda",)),
            "macOS arm64": dry_run(MAC, python),
        }
        for platform, done in runs.items():
            packages = [line[3:] for line in done.stderr.splitlines() if line.startswith(" + ")]
            torch = next((package for package in packages if package.startswith("torch==")), "torch is missing")
            fine = done.returncode == 0
            failed += not fine
            said = f"{len(packages)} packages, {torch}" if fine else f"FAILED\n{done.stderr.strip()}"
            print(f"{platform}, Python {python}: {said}", flush=True)
    return int(failed > 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="resolve the lock for every platform, and write nothing")
    parser.add_argument("--upgrade", nargs="*", default=[], metavar="PACKAGE", help="take the newest version of these")
    options = parser.parse_args()
    if options.check:
        sys.exit(check())
    try:
        write(options.upgrade)
    except ValueError as error:
        sys.exit(f"lock: {error}")


if __name__ == "__main__":
    main()
