"""A real browser for tests: Debian's chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = os.environ.get("ANOMEND_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser; a test that asks for it is skipped, with the reason, where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium here: install it (apt-get install chromium), or name it in ANOMEND_CHROMIUM")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()
