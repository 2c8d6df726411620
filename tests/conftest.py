"""Fixtures that several tests share, and how the tests are shared out among processes."""

from __future__ import annotations

import os
import sys

# Before torch starts: one thread a process. Tests that run side by side would else share the cores twice over, and
# hashes of trained weights would depend on the number of cores. Processes that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser import browser as browser  # A fixture of every test.

ROOT = Path(__file__).parent.parent

LONGEST = (
    "tests/test_pipeline.py",
    # It waits for no clone that another process makes.
    "tests/faults",
    "tests/test_training_stage.py",
    "tests/test_real_profiles.py",
    "tests/test_people_decide.py",
    "tests/test_confirmation.py",
    "tests/test_samples.py",
    "tests/training",
    "tests/rehearsal",
    "tests/families",
    "tests/test_baselines.py",
    "tests/test_external.py",
    "tests/test_dvc_views.py",
    "tests/surveying",
    "tests/curating",
    "tests/pipeline",
    "tests/test_looks.py",
    "tests/test_scan.py",
    "tests/params",
    "tests/gpu_check",
    "tests/miniature",
    "tests/judging",
    "tests/collecting",
    "tests/docs",
)
"""Files and folders that take long: they come first, so that no process ends with one of them while others rest."""


def pytest_xdist_auto_num_workers() -> int | None:
    """One more process than there are cores, at most four; with one core, no further process is started.

    Tests wait for browsers, servers and other processes about a sixth of their time.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores + 1, 4) if cores > 1 else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((i for i, prefix in enumerate(LONGEST) if item.nodeid.startswith(prefix)), len(LONGEST))

    items.sort(key=place)  # Stable: within a file the order stays.


@pytest.fixture
def raw_params() -> dict[str, Any]:
    """A fresh copy of params.yaml, in which nothing but the profile is set."""
    from tests.parameters import user_params

    return user_params()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests, the same in all its processes."""
    base = tmp_path_factory.getbasetemp()
    # The processes of one run have folders of their own in the run's.
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def reproduced_copy(shared_folder: Path) -> Callable[[Path], Path]:
    """Copies a shrunk clone into a folder; it is reproduced once for all tests, in whichever process asks first."""
    from tests.clones import copy_reproduced

    return lambda folder: copy_reproduced(shared_folder, folder)


@pytest.fixture
def warm_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that the library starts by `sys.executable` start quickly, as those of `tests.clones.run` do."""
    from tests.clones import environment

    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "executable", os.environ.get("PYTHON_EXEC", sys.executable))
