"""`make lock` records the file that pip would install, and keeps another machine's CPU build of the same torch."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from commands import lock


def write_wheel(folder: Path, version: str) -> Path:
    """A package without content, as pip installs it."""
    file = folder / f"sample-{version}-py3-none-any.whl"
    record = f"sample-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(f"{record}/METADATA", f"Metadata-Version: 2.1\nName: sample\nVersion: {version}\n")
        wheel.writestr(f"{record}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{record}/RECORD", "")
    return file


@pytest.fixture
def only_local_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip finds the files of this folder and nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return tmp_path


def test_a_local_build_is_locked_by_its_own_version_and_hash(only_local_files: Path) -> None:
    write_wheel(only_local_files, "1.0")
    file = write_wheel(only_local_files, "1.0+cpu")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert lock.build_that_pip_finds("sample==1.0") == f"sample==1.0+cpu \\\n    --hash=sha256:{digest}"


def test_the_public_build_needs_no_lock_of_its_own(only_local_files: Path) -> None:
    write_wheel(only_local_files, "1.0")
    assert lock.build_that_pip_finds("sample==1.0") is None


@pytest.mark.parametrize(("locked", "kept"), [("2.13.0", True), ("2.14.0", False)])
def test_where_pip_finds_no_cpu_build_the_locked_one_of_the_same_version_stays(
    locked: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "build_that_pip_finds", lambda package: None)
    before = "torch==2.13.0+cpu \\\n    --hash=sha256:ab"
    (tmp_path / "torch-cpu.lock").write_text(f"# Written.\n{before}\n")
    found = lock.cpu_build(f"torch=={locked} \\\n    --hash=sha256:cd", tmp_path)
    assert found == ({"torch": before} if kept else {})


def test_cuda_packages_and_build_tools_have_files_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(source: str, *words: str, text: str | None = None) -> str:
        packages = [text] if text else ["numpy", "torch"]
        packages += ["setuptools", "sympy", "nvidia-cublas", "triton"] * ("torch" in packages)
        packages += ["wandb"] * ("trackers" in words)
        return "".join(f"{name}==1 \\\n    --hash=sha256:ab\n" for name in packages)

    monkeypatch.setattr(lock, "compiled", compiled)
    files = {name: set(blocks) for name, blocks in lock.lock_files([], tmp_path).items()}
    assert files["base"] == {"numpy", "sympy"} and files["torch"] == {"torch"}
    assert files["cuda"] == {"nvidia-cublas", "triton"} and files["build"] == {"setuptools"}
    assert files["trackers"] == {"wandb"} and files["dev"] == set()
