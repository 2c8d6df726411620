"""Measure whole processes from outside, so that every contender is measured the same way.

This module and its callers import neither torch nor numpy: on Linux a child's peak memory is never below that of the
process that started it.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


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


def measure(command: Command, environment: Mapping[str, str]) -> Run:
    """Run a process to its end.

    Raises:
        RuntimeError: it failed; the message ends with the last lines that it printed.
    """
    log = command.folder / "output.txt"
    with log.open("wb") as output:
        start = time.monotonic()
        process = subprocess.Popen(
            command.argv, cwd=command.folder, env=dict(environment), stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{' '.join(command.argv)} ended with {process.returncode}:\n{tail}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


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
