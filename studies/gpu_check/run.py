"""Measure a machine with a GPU in at most eight minutes, without a network or weights: `make gpu-check`.

Every row is a process of its own, so that one that crashes or takes all memory costs that row alone. Each result is in
the metric file as soon as it is there; what there was no time for is marked `not reached`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from anomend.project.metric_files import write_metrics
from anomend.project.paths import METRICS
from studies.gpu_check.rows import ROWS, Row
from studies.rehearsal.child import ROOT

FOLDER = ROOT / ".gpu_check"
"""Logs, and the result of a trial."""
BUDGET = 480
SHORTEST = 20
"""Seconds without which no row is started."""
PACKAGES = ("torch", "triton", "diffusers", "transformers", "peft", "accelerate")


def check(rows: Sequence[Row], *, device: str, tiny: bool, budget: float, out: Path, folder: Path) -> dict[str, Any]:
    """Measure the rows in their order, and write the metric file after each.

    Args:
        rows: what is measured.
        device: `cuda` or `cpu`.
        tiny: shrunk shapes.
        budget: seconds for all rows.
        out: the metric file.
        folder: takes the rows' logs.

    Returns:
        By row: `state` (done, failed, out of memory, timed out, not possible, not reached), its metrics or a `reason`,
        and `wall_seconds` of its process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start, facts = time.monotonic(), provenance(device, tiny, budget)
    results: dict[str, Any] = {row.name: {"state": "not reached"} for row in rows}
    write_metrics(out, results, facts)
    for row in rows:
        left = budget - (time.monotonic() - start)
        if left < SHORTEST:
            break
        results[row.name] = measured(row, device=device, tiny=tiny, limit=min(left, row.limit), folder=folder)
        write_metrics(out, results, facts)
        print(f"{row.name}: {_line(results[row.name])}", flush=True)
    return results


def measured(row: Row, *, device: str, tiny: bool, limit: float, folder: Path) -> dict[str, Any]:
    """One row's result, from a process that is killed with all that it started when its time is over."""
    out, log = (folder / f"{row.name}.{ending}" for ending in ("json", "log"))
    out.unlink(missing_ok=True)
    work = {"kind": row.kind, "settings": row.settings, "device": device, "tiny": tiny}
    start, state = time.monotonic(), "failed"
    with log.open("w") as handle:
        process = subprocess.Popen(
            [sys.executable, "-m", "studies.gpu_check.measure_row", json.dumps(work), str(out)],
            cwd=ROOT,
            stdout=handle,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            state = "timed out"
        finally:
            _end_session(process)
    wall = {"wall_seconds": round(time.monotonic() - start, 1)}
    if out.exists():
        return json.loads(out.read_text()) | wall
    if state == "timed out":
        return {"state": state, "reason": f"not done after {limit:.0f} seconds", **wall}
    said = log.read_text(errors="replace").strip().splitlines() or [""]
    if any("out of memory" in line.lower() for line in said[-20:]):
        state = "out of memory"
    return {"state": state, "reason": f"exit code {process.returncode}: {said[-1][-300:]}", **wall}


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """Kill what a row left running: its own processes have a session of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def provenance(device: str, tiny: bool, budget: float) -> dict[str, Any]:
    """The machine: card, driver, versions."""
    import torch

    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "device": device,
        **(card() if device == "cuda" else {"card": None}),
        "cuda": torch.version.cuda,
        **versions,
        "python": sys.version.split()[0],
        "cpu_count": os.cpu_count(),
        "shapes": "shrunk" if tiny else "true",
        "weights": "random",
        "budget_seconds": budget,
    }


def card() -> dict[str, Any]:
    """Name, driver and memory of the first card as the driver tells them, and how many there are.

    The driver is asked and not torch, because a process that has used the GPU keeps some of its memory.
    """
    words = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    if shutil.which(words[0]) is None:
        return {"card": None, "reason": "nvidia-smi is not on the path"}
    cards = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip().splitlines()
    if not cards:
        return {"card": None, "reason": "nvidia-smi lists no card"}
    name, driver, memory = (part.strip() for part in cards[0].split(","))
    return {"card": name, "driver": driver, "card_memory": memory, "cards": len(cards)}


def install(wheels: Path, folder: Path) -> None:
    """Unpack packages from a folder of wheels for this process and the rows', without a network.

    Raises:
        ValueError: pip refuses a wheel, or there is none.
    """
    files = sorted(map(str, wheels.glob("*.whl")))
    if not files:
        raise ValueError(f"{wheels} has no wheels")
    words = ["install", "--quiet", "--no-index", "--no-deps", "--no-compile", "--upgrade", "--target", str(folder)]
    done = subprocess.run([sys.executable, "-m", "pip", *words, *files], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"pip cannot install the wheels of {wheels}: {done.stderr.strip()[-300:]}")
    sys.path.insert(0, str(folder))
    packages = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(packages)


def _line(result: dict[str, Any]) -> str:
    parts = [f"{key} {result[key]}" for key in result if key.startswith("seconds")][:2]
    if "peak_memory_bytes" in result:
        parts.append(f"{result['peak_memory_bytes'] / 2**30:.2f} GiB")
    if "same_bytes" in result:
        parts.append(f"same bytes: {result['same_bytes']}")
    return ", ".join([str(result["state"]), *parts, *([result["reason"]] if "reason" in result else [])])


def _sees_gpu() -> bool:
    # Asked of the driver's library: otherwise this process would hold a part of the GPU.
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    import torch

    return torch.cuda.is_available()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="shrunk shapes and few rows: a trial of the check itself")
    parser.add_argument("--budget", type=float, default=BUDGET, help=f"seconds for all rows; {BUDGET} by default")
    parser.add_argument("--rows", nargs="+", choices=[row.name for row in ROWS], help="only these, in their order")
    parser.add_argument("--wheels", type=Path, help="folder of wheels that this Python lacks, installed for the check")
    parser.add_argument("--out", type=Path, help="the metric file; default: metrics/gpu.json, of a trial .gpu_check/")
    return parser.parse_args()


def main() -> None:
    options = parse()
    # So that a row's processes also end when this one is told to.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("gpu-check: stopped"))
    try:
        if options.wheels:
            install(options.wheels, FOLDER / "packages")
        if options.device == "cuda" and not _sees_gpu():
            raise ValueError(
                "torch sees no GPU here: run this on a machine with one (`python -m studies.gpu_check.run --tiny"
                " --device cpu` tries the check itself)"
            )
    except ValueError as error:
        sys.exit(f"gpu-check: {error}")
    rows = [row for row in ROWS if (row.name in options.rows if options.rows else row.tiny or not options.tiny)]
    out = options.out or (FOLDER if options.tiny else ROOT / METRICS) / "gpu.json"
    results = check(
        rows, device=options.device, tiny=options.tiny, budget=options.budget, out=out.absolute(), folder=FOLDER
    )
    print(f"{out} has the results; what the rows printed is in {FOLDER}")
    if failed := [name for name, result in results.items() if result["state"] == "failed"]:
        sys.exit(f"gpu-check: {', '.join(failed)} failed; see the logs in {FOLDER}")


if __name__ == "__main__":
    main()
