"""The one writer of metric files, and of the figures about a run's cost."""

from __future__ import annotations

import json
import math
import platform
import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

METRICS = Path("metrics")


def library_versions(*names: str) -> dict[str, str]:
    """Installed versions of the named distributions, for a metric file's provenance."""
    return {name: version(name) for name in names}


def write_metrics(path: Path, figures: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Write a metric file: JSON with sorted-as-given keys and a `provenance` object.

    Args:
        path: the file, such as metrics/compare.json; its folder is made.
        figures: the metrics. A figure that cannot be computed is None, and stands beside a `reason`.
        provenance: what the figures rest on: n, library versions, extractor and SHA-256 of its weights, and so on.

    Raises:
        ValueError: a figure is NaN or infinite, which JSON and `dvc metrics diff` cannot carry.
    """
    content = {**figures, "provenance": dict(provenance)}
    _refuse_non_finite(content, path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_metrics(path: Path) -> dict[str, Any]:
    """Read a metric file."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@contextmanager
def resources(stage: str) -> Iterator[None]:
    """Time a stage and write metrics/resources/<stage>.json, which is no DVC output since it differs run by run."""
    start = time.monotonic()
    yield
    path = METRICS / "resources" / f"{stage}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures = {"seconds": round(time.monotonic() - start, 1), "peak_memory_bytes": peak, "machine": platform.machine()}
    path.write_text(json.dumps(figures, indent=2) + "\n")


def _refuse_non_finite(value: Any, name: str) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_non_finite(inner, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _refuse_non_finite(inner, f"{name}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}: write None and a reason for a figure that cannot be computed")
