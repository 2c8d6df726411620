"""Start a training run on several processes."""

from __future__ import annotations

import os
from collections.abc import Sequence


def replace_by_launcher(launcher: Sequence[str], module: str) -> None:
    """Replace this process by a launcher that runs a module, so that killing the stage also kills what it started.

    Args:
        launcher: the launcher's command and arguments, such as ["accelerate", "launch"].
        module: what it runs by `-m`.

    Raises:
        ValueError: there is no such command.
    """
    try:
        os.execvp(launcher[0], [*launcher, "-m", module])
    except FileNotFoundError:
        raise ValueError(f"train.launcher: the command {launcher[0]!r} does not exist: fix it, or set []") from None
