"""Photograph the first screen of report/report.html for the README, as docs/report.png: `make report-picture`.

It needs chromium and the environment's playwright, and is made again whenever the committed run is.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from PIL import Image

from anomend.project.paths import REPORT

WIDTH, HEIGHT = 1280, 1000


def photograph(page: Path, picture: Path, chromium: str) -> None:
    """Write the first screen of a page as a PNG of 256 colours, without the line that says when it was made."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        opened.goto(page.absolute().as_uri())
        opened.evaluate("document.querySelector('#made').remove()")
        opened.screenshot(path=picture)
        browser.close()
    Image.open(picture).convert("RGB").quantize(256).save(picture, optimize=True)


def main() -> None:
    chromium = os.environ.get("ANOMEND_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    page = REPORT / "report.html"
    if chromium is None:
        sys.exit("report_picture: there is no chromium here: install it, or name it in ANOMEND_CHROMIUM")
    if not page.is_file():
        sys.exit(f"report_picture: {page} is missing: run `dvc repro`")
    photograph(page, Path("docs/report.png"), chromium)
    print("wrote docs/report.png")


if __name__ == "__main__":
    main()
