"""Fixtures that several tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.browser import browser as browser  # A fixture of every test.

os.environ.setdefault("HF_HUB_OFFLINE", "1")

ROOT = Path(__file__).parent.parent


@pytest.fixture
def raw_params() -> dict[str, Any]:
    """A fresh copy of params.yaml."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    return content
