"""Run a stage on several processes, which a launcher such as `accelerate launch` starts."""

from __future__ import annotations

import os
from collections.abc import Sequence

LAUNCHED = "ANOMEND_LAUNCHED"
"""Environment variable of processes that a launcher started: the module that they run."""


def launch(launcher: Sequence[str], module: str, *arguments: str, parameter: str) -> None:
    """Replace this process by a launcher that runs the module, so that killing the stage also kills what it started.

    Returns at once where there is no launcher, and in the processes that it started.

    Args:
        launcher: the launcher's command and arguments, such as ["accelerate", "launch"]; empty: one process.
        module: what it runs by `-m`.
        arguments: of the module.
        parameter: the parameter that names the launcher.

    Raises:
        ValueError: there is no such command.
    """
    if not launcher or os.environ.get(LAUNCHED) == module:
        return
    os.environ[LAUNCHED] = module
    try:
        os.execvp(launcher[0], [*launcher, "-m", module, *arguments])
    except FileNotFoundError:
        raise ValueError(f"{parameter}: the command {launcher[0]!r} does not exist: fix it, or set []") from None


def is_main_process() -> bool:
    """Whether this process writes the stage's outputs: the only one, or the launcher's first."""
    return int(os.environ.get("RANK", "0")) == 0
