"""A file is whole or absent, and digests are those of `sha256sum`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anomend.project.files import sha256_of, write_whole, written_whole
from tests.conftest import ROOT


def test_a_block_that_raises_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "made" / "file.txt"
    write_whole(path, "first ä")
    with pytest.raises(RuntimeError, match="half way"), written_whole(path) as partial:
        partial.write_text("sec")
        raise RuntimeError("half way")
    assert path.read_text(encoding="utf-8") == "first ä"
    assert list(path.parent.iterdir()) == [path]


def test_a_process_killed_while_it_writes_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    write_whole(path, b"first")
    program = (
        "import os, signal, sys; from pathlib import Path; from anomend.project.files import written_whole\n"
        "with written_whole(Path(sys.argv[1])) as partial:\n"
        "    partial.write_bytes(b'sec'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL and path.read_bytes() == b"first"


def test_digests_are_those_of_the_published_test_vector(tmp_path: Path) -> None:
    # FIPS 180-2, appendix B.1.
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of("abc") == sha256_of(b"abc") == sha256_of(tmp_path / "abc") == abc
