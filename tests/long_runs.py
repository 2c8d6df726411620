"""Tests that would take the ordinary suite beyond what a pull request can wait for: `make test-docs` runs them."""

from __future__ import annotations

import os

import pytest

on_request = pytest.mark.skipif(os.environ.get("ANOMEND_DOCS") != "1", reason="run by `make test-docs`")
