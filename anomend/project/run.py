"""How every stage script runs: its cost is recorded, and a user's mistake ends in one sentence, not a traceback."""

from __future__ import annotations

import locale
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from filelock import FileLock, Timeout

from anomend.project.lock_copy import keep_lock
from anomend.project.metric_files import record_cost
from anomend.project.paths import DVC_TEMPORARY, LOCK
from anomend.project.variables import recorded, settle

LOCKS = Path(".checkpoints/locks")
RUN_AGAIN = "fix that, then run again; nothing finished is lost"


def run_stage(name: str, main: Callable[[], None], *, measured: bool = True) -> None:
    """Run a stage; if `measured`, alone in its folder, with a copy of dvc.lock kept, and record its cost.

    Errors that a user can fix end with one sentence and exit code 1: ValueError and FileNotFoundError, whose message is
    that sentence, a full disk, a full memory, a broken file, and a second run of the same stage. Any other exception is
    a bug, and keeps its traceback.
    """
    _restart_in_utf8()
    warnings.filterwarnings("ignore", category=FutureWarning)
    # In a launch of several processes, the first one holds the lock and records the cost.
    measured = measured and int(os.environ.get("RANK", "0")) == 0
    try:
        settle(os.environ)
        with (
            alone(name) if measured else nullcontext(),
            record_cost(name, recorded(os.environ)) if measured else nullcontext(),
        ):
            if measured:
                keep_lock(LOCK, DVC_TEMPORARY)
            main()
    except Exception as error:
        message = users_message(error)
        if message is None:
            raise
        print(f"{name}: {message}", file=sys.stderr)
        sys.exit(1)


def users_message(error: Exception) -> str | None:
    """What to tell the user about an error that they can fix; None for a bug.

    Errors of torch and safetensors are recognised by name and text: importing their classes would make every stage load
    these libraries.
    """
    text = str(error)
    if isinstance(error, ValueError | FileNotFoundError):
        return text
    if isinstance(error, OSError):
        return f"{text}: {RUN_AGAIN}"
    if type(error).__name__ == "SafetensorError":
        if "os error" in text.lower() or "I/O" in text:
            return f"{text}: {RUN_AGAIN}"
        return f"a file of tensors is broken ({text}): remove .checkpoints, run `make check-cache`, then `dvc repro`"
    # torch.OutOfMemoryError is a RuntimeError.
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "out of memory" in text.lower()):
        return (
            "out of memory: lower the stage's batch_size in params.yaml, or set base.dtype=bfloat16 or"
            " base.quantise=nf4; training also takes train.micro_batch_size=1 and train.gradient_checkpointing=true"
        )
    return None


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Allow one run of a stage at a time in a folder.

    Killing dvc leaves its stage running, and a second run would write the same files.

    Raises:
        ValueError: the stage is already running.
    """
    LOCKS.mkdir(parents=True, exist_ok=True)
    lock = FileLock(LOCKS / f"{name}.lock", timeout=1)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            "another run of this stage works in this folder: wait for it, or stop it, then run again"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _restart_in_utf8() -> None:
    """Start this process again in Python's UTF-8 mode where the locale has another encoding: prompts may have any
    letters, and Python reads and writes files in the locale's encoding."""
    if locale.getpreferredencoding(False).lower().replace("-", "") == "utf8" or os.environ.get("PYTHONUTF8") == "1":
        return
    if sys.platform == "win32":
        # os.execv on Windows does not replace the process: dvc would think that the stage has ended.
        sys.exit("Python does not use UTF-8 here: set the environment variable PYTHONUTF8=1, then run again")
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
