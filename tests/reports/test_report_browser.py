"""The report in a real browser: on a desk, on a phone, in print, by keyboard, and with nasty texts in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from stages.reports.inputs import ReportInputs
from stages.reports.render import render_report

pytestmark = pytest.mark.slow

NASTY = "<img src=x onerror=\"document.title='injected'\"><script>document.title='injected'</script> {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def report(inputs: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it, and markup in its title and prompts."""
    folder = tmp_path_factory.mktemp("report")
    Image.new("RGB", (600, 300), "white").save(folder / "sheet.jpg")
    prompt, seed = inputs.samples_base.iloc[0][["prompt", "seed"]]
    both = {
        "people": {"n": 0, "reason": NASTY},
        "judge_anatomy__measure_anatomy": {"n": 5, "agreement": 0.6, "kappa": 0.2, "ci_low": -0.1, "ci_high": 0.5}
        | {"rank_correlation": 0.3, "rank_p": 0.2},
    }
    columns = ["prompt", "seed", "spread", "judge_anatomy", "measure_anatomy"]
    found = replace(
        inputs,
        title=NASTY,
        agreement=both,
        disagreements=pd.DataFrame([[prompt, seed, 1.0, 1.0, 0.0]], columns=columns),
        contact_sheet=folder / "sheet.jpg",
        base_model={"name": NASTY},
    )
    path = folder / "report.html"
    path.write_text(render_report(found)[1], encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    assert not errors
    assert all(url.startswith(("file://", "data:")) for url in asked) and sum(url[:5] == "file:" for url in asked) == 1
    context.close()


def photograph(page: Page, name: str) -> None:
    if folder := os.environ.get("ANOMEND_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("width", [1280, 360])
def test_it_fits_a_desk_and_a_phone_and_asks_nobody(report: Path, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("h2").first).to_contain_text("Verdict")
    assert page.title().endswith(NASTY) and "49" not in page.title()
    assert page.locator("h1").text_content() == NASTY
    broken = page.evaluate("[...document.images].filter((image) => !image.naturalWidth || !image.alt).length")
    assert broken == 0
    photograph(page, f"report-{width}")


def test_base_and_tuned_change_places_by_keyboard(report: Path, page: Page) -> None:
    page.goto(report.as_uri())
    images = page.locator(".pair").first.locator("img")
    page.locator("#view-both").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#view-base")).to_be_checked()
    base = images.nth(0).bounding_box()
    expect(images.nth(1)).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#view-tuned")).to_be_checked()
    expect(images.nth(0)).to_be_hidden()
    assert images.nth(1).bounding_box() == base  # Exactly where the other was.
    photograph(page, "report-tuned-only")
    page.keyboard.press("ArrowDown")
    expect(images.nth(0)).to_be_visible()
    expect(images.nth(1)).to_be_visible()


def test_dark_and_print(report: Path, page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(report.as_uri())
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    expect(page.locator(".views")).to_be_hidden()
    assert page.pdf()[:5] == b"%PDF-"
