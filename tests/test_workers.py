"""How the tests are distributed: one more process than there are cores, one thread each, the longest files first."""

from __future__ import annotations

import os

import pytest
import torch

from tests.clones import environment
from tests.conftest import LONGEST, ROOT, pytest_xdist_auto_num_workers


@pytest.mark.parametrize(("cores", "workers"), [(1, 0), (2, 3), (3, 4), (64, 4)])
def test_one_more_process_than_there_are_cores_and_no_further_process_on_one_core(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    assert pytest_xdist_auto_num_workers() == workers


def test_every_process_has_one_thread() -> None:
    assert torch.get_num_threads() == 1
    assert environment()["OMP_NUM_THREADS"] == "1"


def test_the_longest_files_exist_and_come_first(request: pytest.FixtureRequest) -> None:
    assert all((ROOT / path).exists() for path in LONGEST)
    places = [item.nodeid.startswith(LONGEST) for item in request.session.items]
    assert places == sorted(places, reverse=True)
