"""A process that is measured from outside, and killed where a test of resuming needs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomend.project.metric_files import resident_bytes

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Child:
    """What a process cost, and what it wrote to stdout and stderr."""

    seconds: float
    peak_memory_bytes: int
    """Largest resident set, with the pages of mapped weight files that were in memory."""
    output: str

    def cost(self) -> dict[str, Any]:
        """The metrics, for the metric file."""
        return {"seconds": self.seconds, "peak_memory_bytes": self.peak_memory_bytes}


def run_child(name: str, words: list[str], cwd: Path, kill_when: Callable[[], bool] | None = None) -> Child:
    """Run `python -m WORDS` in a folder; its output goes to ../<name>.log.

    Args:
        name: of the log file.
        words: module and arguments.
        cwd: the working directory.
        kill_when: called repeatedly; the process is killed (SIGKILL) as soon as this is true.

    Raises:
        ValueError: the process failed, or ended before it could be killed.
    """
    log = cwd.parent / f"{name}.log"
    start = time.monotonic()
    packages = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *packages]), "HF_HUB_OFFLINE": "1"}
    with log.open("w") as handle:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=cwd, env=environment, stdout=handle, stderr=subprocess.STDOUT
        )
        ended = 0
        while kill_when and not ended:
            if kill_when():
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.02)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if not ended:
            _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    output = log.read_text(errors="replace")
    if kill_when and process.returncode != -signal.SIGKILL:
        raise ValueError(f"{name} ended by itself ({process.returncode}) before it could be killed; see {log}")
    if not kill_when and process.returncode:
        raise ValueError(f"{name} failed ({process.returncode}): {output.strip()[-600:]}; see {log}")
    return Child(round(time.monotonic() - start, 1), resident_bytes(usage), output)
