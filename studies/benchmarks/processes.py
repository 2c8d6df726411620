"""Measure whole processes from outside, so that every contender is measured the same way.

On Linux a process's recorded peak memory starts at that of the one which started it. So a bare interpreter of a few MiB
(this file run as a script) stands between, and notes what its child used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Command:
    """What to start, and where."""

    argv: Sequence[str]
    folder: Path


@dataclass(frozen=True)
class Run:
    """What one process cost."""

    seconds: float
    """Wall clock, from start to exit."""
    cpu_seconds: float
    """User and system time of all threads."""
    peak_bytes: int
    """Largest resident set."""


Measure = Callable[[str, Command], Run]
"""Run a process to its end, under a label."""


def measure(command: Command, environment: Mapping[str, str]) -> Run:
    """Run a process to its end.

    Raises:
        RuntimeError: it failed; the message ends with the last lines that it printed.
    """
    log = command.folder / "output.txt"
    with tempfile.TemporaryDirectory() as scratch:
        notes = Path(scratch) / "notes.json"
        with log.open("wb") as output:
            launcher = [sys.executable, "-I", "-S", __file__, str(notes), *command.argv]
            subprocess.run(launcher, cwd=command.folder, env=dict(environment), stdout=output, stderr=subprocess.STDOUT)
        # Without notes the process could not even be started.
        noted: dict[str, Any] = json.loads(notes.read_text()) if notes.exists() else {"exit_code": None}
    if noted["exit_code"] != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{' '.join(command.argv)} ended with {noted['exit_code']}:\n{tail}")
    return Run(noted["seconds"], noted["cpu_seconds"], noted["peak_bytes"])


def announced(settings: Mapping[str, str]) -> Measure:
    """`measure` in an environment, which also says on stderr what was measured."""

    def measured(label: str, command: Command) -> Run:
        found = measure(command, settings)
        cost = f"{found.seconds:.1f} s, {found.cpu_seconds:.1f} CPU s, {found.peak_bytes / 2**20:.0f} MiB"
        print(f"{label}: {cost}", file=sys.stderr, flush=True)
        return found

    return measured


def _launch(notes: str, argv: Sequence[str]) -> None:
    start = time.monotonic()
    pid = os.posix_spawnp(argv[0], list(argv), os.environ)
    _, status, usage = os.wait4(pid, 0)
    metrics = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - start,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        # Bytes on macOS, KiB on Linux; this file runs as a script and imports nothing of the project.
        "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }
    Path(notes).write_text(json.dumps(metrics))


def environment(threads: int, scratch: Path) -> dict[str, str]:
    """The same for all: threads, no network, caches in the scratch folder."""
    return os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HOME": str(scratch / "huggingface"),
        "TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor"),
        "PYTHONPATH": str(Path.cwd()),
    }


if __name__ == "__main__":
    _launch(sys.argv[1], sys.argv[2:])
