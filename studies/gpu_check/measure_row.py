"""The process of one row: ROW as JSON, then where its result goes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

KINDS = {
    "train": "studies.gpu_check.training",
    "sample": "studies.gpu_check.sampling",
    "decode": "studies.gpu_check.sampling",
    "texts": "studies.gpu_check.sampling",
    "kill_and_resume": "studies.gpu_check.runs",
    "two_processes": "studies.gpu_check.runs",
    "stages": "studies.gpu_check.runs",
}
"""Kind of row to the module with the function of that name."""


def main() -> None:
    row, out = json.loads(sys.argv[1]), Path(sys.argv[2])
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    out.write_text(json.dumps(result_of(row)))


def result_of(row: dict[str, Any]) -> dict[str, Any]:
    """What a row measured, or why this machine cannot have it; any other error is raised."""
    try:
        import torch

        from anomend.project.devices import resolve_device
        from studies.gpu_check.runs import NotPossible

        measure: Callable[..., dict[str, Any]] = getattr(import_module(KINDS[row["kind"]]), row["kind"])
    except ModuleNotFoundError as error:
        return {"state": "not possible", "reason": f"the package {error.name} is not installed"}
    torch.set_float32_matmul_precision("highest")
    device = resolve_device(row["device"])
    try:
        return {"state": "done", **measure(**row["settings"], tiny=row["tiny"], device=device)}
    except NotPossible as error:
        return {"state": "not possible", "reason": str(error)}
    except ModuleNotFoundError as error:
        return {"state": "not possible", "reason": f"the package {error.name} is not installed"}
    except torch.OutOfMemoryError as error:
        return {"state": "out of memory", "reason": str(error).partition(". ")[0]}


if __name__ == "__main__":
    main()
