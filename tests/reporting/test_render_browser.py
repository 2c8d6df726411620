"""The report in a real browser: on a desk, on a phone, in print, by keyboard, and with nasty texts in it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.render import render_report

pytestmark = pytest.mark.slow

NASTY = "<img src=x onerror=\"document.title='injected'\"><script>document.title='injected'</script> {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def report(complete: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it, and markup in its title and other texts."""
    both = {**(complete.agreement or {}), "people": {"n": 0, "reason": NASTY}}
    nasty = replace(complete, title=NASTY, agreement=both, base_model={"name": NASTY})
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_report(nasty)[1], encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    requested: list[str] = []
    opened.on("request", lambda request: requested.append(request.url))
    yield opened
    assert not errors
    assert (
        all(url.startswith(("file://", "data:")) for url in requested)
        and sum(url[:5] == "file:" for url in requested) == 1
    )
    context.close()


def photograph(page: Page, name: str) -> None:
    if folder := os.environ.get("ANOMEND_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


CONTRASTS = """() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(e).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const written = [...document.querySelectorAll('main *:not(style)')].filter(
    (e) => [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return written.map((e) => {
    const style = getComputedStyle(e);
    const inChart = e.closest('svg') !== null;
    const ink = numbers(inChart && style.fill.startsWith('rgb') ? style.fill : style.color).slice(0, 3);
    const both = [luminance(ink), luminance(behind(e))].sort((x, y) => y - x);
    return [(both[0] + 0.05) / (both[1] + 0.05), e.tagName, e.textContent.slice(0, 40)];
  }).sort((x, y) => x[0] - y[0]);
}"""
"""By WCAG 2, of every element that holds text, in a chart too: contrast, tag, text; the lowest first."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_light_and_dark(report: Path, page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(report.as_uri())
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 300 and {"text", "TD", "FIGCAPTION", "SPAN"} <= {tag for _, tag, _ in contrasts}
    assert contrasts[0][0] >= 4.5, contrasts[:5]
    photograph(page, f"report-{scheme}")


@pytest.mark.parametrize("width", [1280, 700, 360])
def test_it_fits_a_desk_and_a_phone_and_requests_nothing(report: Path, page: Page, width: int) -> None:
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


def test_the_verdict_and_all_answers_are_on_the_first_screen(report: Path, page: Page) -> None:
    page.goto(report.as_uri())
    last = page.locator(".glance dd").last.bounding_box()
    assert last is not None and last["y"] + last["height"] <= 900


def test_held_out_prompts_and_parameters_open_by_keyboard(report: Path, page: Page) -> None:
    page.goto(report.as_uri())
    for name in ("1 held-out prompt", "Resolved parameters"):
        part = page.locator("details", has=page.locator("summary", has_text=name))
        content = part.locator("img, td").first
        expect(content).to_be_hidden()
        part.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(content).to_be_visible()


def test_the_answers_lead_to_their_evidence_by_keyboard(report: Path, page: Page) -> None:
    page.goto(report.as_uri())
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#rates$"))  # The jump follows the key; it is not there at once.
    expect(page.locator("#rates")).to_be_in_viewport()


def test_dark_and_print(report: Path, page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(report.as_uri())
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    expect(page.locator(".views")).to_be_hidden()
    # On paper nothing can be opened, so everything is.
    shown = "[...document.querySelectorAll('details table')].map((table) => table.checkVisibility())"
    assert page.evaluate(shown) and all(page.evaluate(shown))
    page.emulate_media(media="screen")
    assert not any(page.evaluate(shown))
    page.emulate_media(media="print")
    assert page.pdf()[:5] == b"%PDF-"
