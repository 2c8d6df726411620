"""The folders of a training's curves and sample grids, which are outputs also of a run that trains nothing."""

from __future__ import annotations

import shutil
from pathlib import Path


def clear_curves(curves: Path) -> None:
    """Remove the curves and sample grids of an earlier run; the folder is made, without any."""
    shutil.rmtree(curves, ignore_errors=True)
    for name in ("metrics", "images"):
        (curves / "plots" / name).mkdir(parents=True)
