"""Write the lock files from pyproject.toml, or check that they can be installed: `make lock`, `make lock-check`.

Needs only the standard library and uv, in an environment of their own: the project's environment comes from the lock.
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


def build_that_pip_finds(package: str) -> str | None:
    """Requirement with hash of the file that pip would install here, if that is not the public index's build.

    A local part of the version, such as `+cpu`, marks another build.
    """
    words = ["install", "--quiet", "--dry-run", "--no-deps", "--ignore-installed", "--report", "-", package]
    done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=True)
    (file,) = json.loads(done.stdout)["install"]
    version, origin = file["metadata"]["version"], file["download_info"]
    if "+" not in version:
        return None
    digest = origin["archive_info"].get("hashes", {}).get("sha256")
    if not digest:
        with Path(url2pathname(urlparse(origin["url"]).path)).open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return f"{package.split('==')[0]}=={version} \\\n    --hash=sha256:{digest}"


def cpu_build(torch: str, folder: Path) -> dict[str, str]:
    """The CPU build of the torch that is locked: the one that pip finds here, else the one that was locked before."""
    pinned = torch.split()[0]
    if found := build_that_pip_finds(pinned):
        return {"torch": found}
    before = folder / "torch-cpu.lock"
    kept = requirement_blocks(before.read_text(encoding="utf-8")) if before.exists() else {}
    return {name: block for name, block in kept.items() if block.startswith(f"{pinned}+")}


def write(upgrade: list[str], folder: Path = LOCKS) -> None:
    """Write every lock file."""
    files = lock_files(upgrade, folder)
    files["torch-cpu"] = cpu_build(files["torch"]["torch"], folder)
    folder.mkdir(exist_ok=True)
    for name, blocks in files.items():
        if not blocks:
            # pip would take an empty file for success, and `make setup` would install no torch.
            (folder / f"{name}.lock").unlink(missing_ok=True)
            continue
        text = "".join(f"{block}\n" for block in blocks.values())
        (folder / f"{name}.lock").write_text(f"# Written by `make lock`.\n{text}", encoding="utf-8")
        print(f"{folder / name}.lock: {len(blocks)} packages")


def dry_run(platform: str, python: str, *words: str, without: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Resolve the lock for a platform and a Python without installing: every file has a locked hash, and every
    dependency is locked."""
    files = [word for file in sorted(LOCKS.glob("*.lock")) if file.stem not in without for word in ("-r", str(file))]
    with tempfile.TemporaryDirectory() as target:
        options = ["--dry-run", "--require-hashes", "--python-platform", platform, "--python-version", python]
        # The oldest macOS that every package has a wheel for.
        return uv("pip", "install", *options, "--target", target, *words, *files, MACOSX_DEPLOYMENT_TARGET="14.0")


def check() -> int:
    """Resolve the lock for each platform and Python, and print one line each; 1 where one does not resolve.

    On Linux without a GPU, torch is the locked CPU build where pip's PIP_FIND_LINKS has it for that Python; else it is
    the public index's build with its CUDA packages, which runs without a GPU too.
    """
    local = ["--find-links", os.environ["PIP_FIND_LINKS"]] if "PIP_FIND_LINKS" in os.environ else []
    failed = 0
    for python in PYTHONS:
        public = dry_run(LINUX, python, without=("torch-cpu",))
        cpu = dry_run(LINUX, python, *local, without=("torch", "cuda"))
        runs = {
            "Linux x86_64, CUDA": public,
            "Linux x86_64, CPU": public if cpu.returncode else cpu,
            "macOS arm64": dry_run(MAC, python, without=("torch-cpu",)),
        }
        for platform, done in runs.items():
            packages = [line[3:] for line in done.stderr.splitlines() if line.startswith(" + ")]
            torch = next((package for package in packages if package.startswith("torch==")), "torch is missing")
            failed += done.returncode != 0
            result = f"FAILED\n{done.stderr.strip()}" if done.returncode else f"{len(packages)} packages, {torch}"
            print(f"{platform}, Python {python}: {result}", flush=True)
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
