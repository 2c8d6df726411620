"""How every stage script runs: its cost is noted, and a user's mistake ends in one sentence, not in a traceback."""

from __future__ import annotations

import locale
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

from filelock import FileLock, Timeout

from anomend.project.metric_files import resources

LOCKS = Path(".checkpoints/locks")


def run_stage(name: str, main: Callable[[], None], *, measured: bool = True) -> None:
    """Run a stage; if `measured`, alone in its folder, and note its cost.

    A ValueError or FileNotFoundError carries a sentence for the user and ends with exit code 1, and so do a full disk,
    a full memory and a stage that already runs. Any other exception is our own mistake and keeps its traceback.
    """
    _in_utf8()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning)
    # Of the processes of one launch, the first holds the lock and notes the cost for all.
    measured = measured and int(os.environ.get("RANK", "0")) == 0
    try:
        with alone(name) if measured else nullcontext(), resources(name) if measured else nullcontext():
            main()
    except (ValueError, FileNotFoundError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        # What earlier stages and checkpoints wrote is still there.
        print(f"{name}: {error}: mend that, then run again; nothing finished is lost", file=sys.stderr)
        sys.exit(1)
    except MemoryError:
        _out_of_memory(name)
    except Exception as error:
        # SafetensorError is an Exception and nothing more; naming its class would import safetensors for every stage.
        if type(error).__name__ == "SafetensorError":
            print(f"{name}: {_of_safetensors(error)}", file=sys.stderr)
            sys.exit(1)
        # torch.OutOfMemoryError is a RuntimeError; naming it here would import torch for every stage.
        if not isinstance(error, RuntimeError) or "out of memory" not in str(error).lower():
            raise
        _out_of_memory(name)


def _in_utf8() -> None:
    """Where the locale's encoding, in which Python reads and writes files, is not UTF-8, start again in UTF-8 mode:
    prompts may have any letters."""
    if locale.getpreferredencoding(False).lower().replace("-", "") != "utf8" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


@contextmanager
def alone(name: str) -> Iterator[None]:
    """One run of a stage at a time in a folder: killing dvc leaves its stage running, and a rerun would start a second
    one that writes the same files.

    Raises:
        ValueError: the stage runs already.
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


def _of_safetensors(error: Exception) -> str:
    """What to do about a tensor file that could not be written or read."""
    if "os error" in str(error).lower() or "I/O" in str(error):
        return f"{error}: mend that, then run again; nothing finished is lost"
    return f"a file of tensors is broken ({error}): remove .checkpoints, run `make check-cache`, then `dvc repro`"


def _out_of_memory(name: str) -> NoReturn:
    print(
        f"{name}: out of memory: lower the stage's batch_size in params.yaml, or set base.dtype=bfloat16; "
        "training also takes train.micro_batch_size=1, train.gradient_checkpointing=true and train.quantise_base=nf4",
        file=sys.stderr,
    )
    sys.exit(1)
