"""How long the parts of a stage's work take.

A module of its own, and a small one: the code that samples uses it, and a change of that code makes all images anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class WorkDone:
    """What a stage has done of one kind of work, and on what."""

    amount: int = 0
    seconds: float = 0.0
    device: str = "cpu"


_recorded: ContextVar[dict[str, WorkDone] | None] = ContextVar("work of the running stage", default=None)


@contextmanager
def timed_work(kind: str, amount: int, device: str = "cpu") -> Iterator[None]:
    """Time a part of the running stage's work, so that another run's hours can be told from it.

    Where no stage runs, nothing is recorded.

    Args:
        kind: sampling, adapted, training, encoding or measuring.
        amount: how much of it, in the units of `anomend.pipeline.work`.
        device: `cpu`, or the GPU's name.
    """
    start = time.perf_counter()
    yield
    if (recorded := _recorded.get()) is not None:
        done = recorded.setdefault(kind, WorkDone())
        done.amount += amount
        done.seconds += time.perf_counter() - start
        done.device = device


@contextmanager
def recorded_work() -> Iterator[dict[str, WorkDone]]:
    """Collect what `timed_work` notes meanwhile, by kind."""
    work: dict[str, WorkDone] = {}
    before = _recorded.set(work)
    try:
        yield work
    finally:
        _recorded.reset(before)
