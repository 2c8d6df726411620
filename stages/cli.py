"""How every stage script runs: its cost is noted, and a user's mistake ends in one sentence, not in a traceback."""

from __future__ import annotations

import os
import sqlite3
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import NoReturn

from stages.metric_files import resources


def run_stage(name: str, main: Callable[[], None], *, measured: bool = True) -> None:
    """Run a stage and, if `measured`, note its cost.

    A ValueError or FileNotFoundError carries a sentence for the user and ends with exit code 1, and so do a full disk
    and a full memory. Any other exception is our own mistake and keeps its traceback.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning)
    try:
        with resources(name) if measured else nullcontext():
            main()
    except (ValueError, FileNotFoundError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(1)
    except (OSError, sqlite3.OperationalError) as error:
        # sqlite3: DVC's own record, which dvclive opens. What earlier stages and checkpoints wrote is still there.
        print(f"{name}: {error}: mend that, then run again; nothing finished is lost", file=sys.stderr)
        sys.exit(1)
    except MemoryError:
        _out_of_memory(name)
    except RuntimeError as error:
        # torch.OutOfMemoryError is a RuntimeError; naming it here would import torch for every stage.
        if "out of memory" not in str(error).lower():
            raise
        _out_of_memory(name)


def _out_of_memory(name: str) -> NoReturn:
    print(
        f"{name}: out of memory: lower the stage's batch_size in params.yaml, or set base.dtype=bfloat16; "
        "training also takes train.micro_batch_size=1, train.gradient_checkpointing=true and train.quantise_base=nf4",
        file=sys.stderr,
    )
    sys.exit(1)
