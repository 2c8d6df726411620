"""Seconds and memory on a device, which works on after a call has returned."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from anomend.project.metric_files import peak_memory_bytes


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Seconds until the device has done the work."""
    finish(device)
    start = time.perf_counter()
    work()
    finish(device)
    return time.perf_counter() - start


def finish(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def repeated(work: Callable[[], object], device: torch.device, *, least: int = 3, most: int = 10) -> dict[str, Any]:
    """Costs of one piece of work, after two that warm up, in which code is also compiled.

    Args:
        work: is done again and again, for about 15 seconds.
        device: does it.
        least: times at least.
        most: times at most.

    Returns:
        `first_seconds`, `seconds` (the median), `repeats`, and what `memory` tells.
    """
    first = seconds_of(work, device)
    seconds_of(work, device)
    taken: list[float] = []
    while len(taken) < least or (len(taken) < most and sum(taken) < 15):
        taken.append(seconds_of(work, device))
    return {
        "first_seconds": round(first, 3),
        "seconds": round(statistics.median(taken), 4),
        "repeats": len(taken),
        **memory(device),
    }


def memory(device: torch.device) -> dict[str, Any]:
    """Peak memory: what tensors took, and what torch held for them; on a CPU the largest resident set."""
    if device.type == "cuda":
        return {
            "peak_memory_bytes": torch.cuda.max_memory_allocated(),
            "peak_reserved_bytes": torch.cuda.max_memory_reserved(),
        }
    return {"peak_memory_bytes": peak_memory_bytes()}
