"""Verdicts by the thousand."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def frozen_heap() -> Iterator[None]:
    """statsmodels collects garbage at every correction by Holm, which takes long where many modules are loaded."""
    importlib.import_module("statsmodels.stats.multitest")
    gc.freeze()
    yield
    gc.unfreeze()
