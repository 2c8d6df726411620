"""The one reader and writer of metric files, and the recorder of what a stage costs."""

from __future__ import annotations

import json
import math
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomend.project.files import write_whole
from anomend.project.lock import environment_differences
from anomend.project.paths import RESOLVED, RESOURCES, RUN_SETTINGS
from anomend.project.timing import WorkDone, recorded_work

if TYPE_CHECKING:
    from resource import struct_rusage

CODE = Path(__file__).resolve().parents[2]
"""The checkout that this code is in, with its lock files."""


def library_versions(*names: str) -> dict[str, str]:
    """Installed versions of the named distributions, for a metric file's provenance."""
    return {name: version(name) for name in names}


def write_metrics(path: Path, metrics: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Write a metric file whole: JSON with its keys in the given order, and a `provenance` object at the end.

    Args:
        path: the file, such as metrics/compare.json; its folder is made.
        metrics: a metric that cannot be computed is None, with a `reason` next to it.
        provenance: what the metrics rest on: n, library versions, extractor and SHA-256 of its weights, and so on.
            Where installed packages are not the locked ones, their names and versions are added as `environment`.

    Raises:
        ValueError: a metric is NaN or infinite, which JSON and `dvc metrics diff` cannot carry.
    """
    differences = environment_differences(CODE)
    environment = {"environment": differences} if differences else {}
    content = {**metrics, "provenance": {**provenance, **environment}}
    _refuse_non_finite(content, path.name)
    write_whole(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_metrics(path: Path) -> dict[str, Any]:
    """Read a metric file.

    Raises:
        FileNotFoundError: there is no such file.
    """
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@contextmanager
def record_cost(stage: str, variables: Mapping[str, str] | None = None) -> Iterator[None]:
    """Time a stage and write metrics/resources/<stage>.json when it ends well, with what `timed_work` noted.

    Args:
        stage: its name.
        variables: environment variables of the libraries, to be noted there too.
    """
    start = time.monotonic()
    with recorded_work() as work:
        yield
    parameters = {}
    for path in (RESOLVED, RUN_SETTINGS) if work else ():
        # A script that runs without the pipeline has no parameters in force.
        parameters[path.name] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    write_cost(stage, seconds=time.monotonic() - start, work=work, parameters=parameters, variables=variables)


def write_cost(
    stage: str,
    *,
    seconds: float,
    work: Mapping[str, WorkDone],
    parameters: Mapping[str, Mapping[str, Any]],
    variables: Mapping[str, str] | None = None,
) -> None:
    """Write metrics/resources/<stage>.json, which is neither a DVC output nor in git: it differs between runs.

    A stage that found all its work done leaves the record of the run that did it.

    Args:
        stage: the stage, or another name for what ran.
        seconds: all of its time.
        work: what it did, by kind.
        parameters: those that it ran with, as the two files of stage `resolve` have them, by their names.
        variables: environment variables of the libraries that are set.
    """
    cost: dict[str, Any] = {
        "seconds": round(seconds, 1),
        "peak_memory_bytes": peak_memory_bytes(),
        "machine": platform.machine(),
        **({"variables": dict(variables)} if variables else {}),
    }
    if work:
        cost["work"] = {kind: asdict(done) | {"seconds": round(done.seconds, 3)} for kind, done in work.items()}
        cost["parameters"] = parameters
    path = RESOURCES / f"{stage}.json"
    if work or not (path.is_file() and '"work"' in path.read_text(encoding="utf-8")):
        write_whole(path, json.dumps(cost, indent=2) + "\n", durable=False)


def peak_memory_bytes() -> int | None:
    """The largest resident set that this process has had; None on Windows, whose Python cannot tell."""
    if sys.platform == "win32":
        return None
    import resource

    return resident_bytes(resource.getrusage(resource.RUSAGE_SELF))


def resident_bytes(usage: struct_rusage) -> int:
    """The largest resident set of a resource usage: macOS counts it in bytes, Linux in KiB (getrusage(2) of each)."""
    return usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024


def _refuse_non_finite(value: Any, name: str) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_non_finite(inner, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _refuse_non_finite(inner, f"{name}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}: write None and a reason for a metric that cannot be computed")
