"""Clones of the repository with shrunk parameters, in which tests run the real stages."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from dvc.utils.serialize import modify_yaml
from filelock import FileLock

from tests.conftest import ROOT
from tests.warm_python import warm_python

SHRUNK: dict[str, dict[str, Any]] = {
    "prompts": {"held_out": ["lying on the beach", "standing on the grass"], "siblings": []},
    "collect": {"images": 6},
    "class_images": {"prompts": ["a photo of a person sitting on the grass"], "per_prompt": 4},
    "train": {
        "steps": 6,
        "batch_size": 2,
        "class_batch_size": 2,
        "rank": 4,
        "learning_rate": 5e-3,
        "warmup_steps": 0,
        "checkpoint_every": 2,
    },
    "train.monitor": {"every": 3, "seeds_per_prompt": 2, "validation_draws": 4},
    "losers": {"per_prompt": 3},
    "sample": {"target_seeds_per_prompt": 6, "held_out_seeds_per_prompt": 6, "steps": 4, "batch_size": 3},
    "measure": {"within_set_images": 6},
    "compare": {"resamples": 200},
    "judge": {"pairs_per_prompt": 5, "image_size": 128},
    "report": {"pairs_per_prompt": 2},
}


TRIED = "tried_network"
"""File beside a reproduced clone in which stages that tried to reach another machine are noted."""


@cache
def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder that is gone when this process ends; in its file `TRIED`, whatever else tried is noted."""
    return tempfile.TemporaryDirectory(prefix="tests-")


def environment() -> dict[str, str]:
    """This environment with this interpreter's commands first, without the network, and with one thread a process.

    `python`, `dvc` and `accelerate` start quickly (tests/warm_python).
    """
    if "ANOMEND_WARM" in os.environ:  # It is this environment already.
        return dict(os.environ)
    paths = [str(ROOT / "tests" / "no_network"), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    # A clone's modules are compiled once, and not by each of its stages; copies of the clone have them too.
    own["PYTHONDONTWRITEBYTECODE"] = ""
    own["TRIED_NETWORK"] = f"{scratch().name}/{TRIED}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | own | {"PATH": path} | warm_python(path, **own)


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in a clone; one that fails unasked fails the test, with its output."""
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    """A command as the leader of a process group of its own."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def killed(process: subprocess.Popen[str]) -> int:
    """Kill the whole group (SIGKILL) of a command that `start` started; returns -9, or the code that it ended with.

    When this returns, none of its processes writes any more: all of them hold the other end of its output.
    """
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode


def clone(folder: Path, changes: dict[str, dict[str, Any]] = SHRUNK) -> Path:
    """The working tree's tracked and new files as a repository of their own, with changed parameters."""
    listed = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.split("\n")
    for name in filter(None, listed):
        if (ROOT / name).is_file() or (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    (folder / "dvc.lock").unlink(missing_ok=True)
    # The project's confirmations are of its own run: with other parameters the next one is the clone's first.
    for record in (folder / "confirmations").glob("[0-9]*"):
        shutil.rmtree(record) if record.is_dir() else record.unlink()
    set_params(folder, changes)
    run(folder, "git", "init", "-q")
    run(folder, "git", "config", "user.email", "tests@localhost")
    run(folder, "git", "config", "user.name", "tests")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "clone")
    return folder


def reproduce_without_network(folder: Path) -> None:
    """`dvc repro` in a clone; attempts to reach another machine are listed in `TRIED` next to it."""
    run(folder, "env", f"TRIED_NETWORK={folder.parent / TRIED}", "dvc", "repro")
    # What the libraries tried when the processes imported them that stages are forked from.
    if (before := Path(scratch().name, TRIED)).exists():
        with (folder.parent / TRIED).open("a") as notes:
            notes.write(before.read_text())


def copy_made_once(first: Path, folder: Path, make: Callable[[], None]) -> None:
    """Copy a folder that takes minutes to make; whichever process asks first makes it, the others wait.

    Args:
        first: where it is made, the same in all processes of one run of the tests; its parent holds nothing else.
        folder: where the copy goes; it must not exist.
        make: makes what belongs into `first`, which is empty then.
    """
    with FileLock(f"{first.parent}.lock"):
        if not (first.parent / "whole").exists():
            shutil.rmtree(first.parent, ignore_errors=True)
            first.mkdir(parents=True)
            make()
            (first.parent / "whole").touch()
    shutil.copytree(first, folder, symlinks=True)


def copy_reproduced(shared: Path, folder: Path) -> Path:
    """Copy a clone that was reproduced without a network, and `TRIED` beside it; the first caller reproduces it.

    Args:
        shared: a folder of this run of the tests, the same in all its processes.
        folder: where the copy goes; it must not exist.
    """
    first = shared / "reproduced" / "clone"
    copy_made_once(first, folder, lambda: reproduce_without_network(clone(first)))
    if (first.parent / TRIED).exists():
        shutil.copy(first.parent / TRIED, folder.parent / TRIED)
    return folder


def virtual_environment(folder: Path) -> None:
    """This environment as the clone's own `.venv`, which `make` takes for ready: nothing is installed."""
    own = folder / ".venv"
    own.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name != "ready":
            (own / entry.name).symlink_to(entry)
    (own / "ready").touch()


def set_params(folder: Path, changes: dict[str, dict[str, Any]]) -> None:
    """Change sections of params.yaml, each named by its dotted path."""
    path = folder / "params.yaml"
    # As DVC reads and writes the file, so that a later `dvc exp run -S` changes its own lines alone.
    with modify_yaml(path) as content:
        for section, values in changes.items():
            found = content
            for key in section.split("."):
                found = found[key]
            found |= values


def run_queue(folder: Path) -> None:
    """Run the queued experiments one after the other, and wait for them; one that fails, fails the test."""
    run(folder, "dvc", "queue", "start", "-j", "1")
    for _ in range(600):
        queue = run(folder, "dvc", "queue", "status").stdout
        if "Queued" not in queue and "Running" not in queue:
            break
        time.sleep(1)
    assert "Success" in queue and "Failed" not in queue, queue


def stages_run(output: str) -> set[str]:
    """Names of the stages that `dvc repro` ran, by its output."""
    return {line.split("'")[1] for line in output.split("\n") if line.startswith("Running stage")}


def metrics(folder: Path) -> dict[str, Any]:
    """The metric files by name."""
    sampled = [f"{kind}_{model}" for kind in ("sample", "measure") for model in ("base", "tuned")]
    names = [
        "collect",
        "curate",
        "train",
        "looks",
        *sampled,
        "compare",
        "judge",
        "survey",
        "label",
        "people",
        "verdict",
    ]
    return {name: json.loads((folder / "metrics" / f"{name}.json").read_text()) for name in names}
