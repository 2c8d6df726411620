"""The report in a real browser: on a desk, on a phone, in print, by keyboard, and with nasty texts in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.made import write_made
from anomend.reporting.render import render_report
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

NASTY = "<img src=x onerror=\"document.title='injected'\"><script>document.title='injected'</script> {{ 7 * 7 }}"


@pytest.fixture(scope="module")
def report(complete: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it, and markup in its title and other texts."""
    both = {**(complete.agreement or {}), "people": {"n": 0, "reason": NASTY}}
    nasty = replace(complete, title=NASTY, agreement=both, base_model={"name": NASTY})
    folder = tmp_path_factory.mktemp("report")
    for model, table in (("base", complete.samples_base), ("tuned", complete.samples_tuned)):
        (folder / "samples" / model).mkdir(parents=True)
        for path in table["path"]:
            shutil.copy(path, folder / "samples" / model)
    (folder / "report.html").write_text(render_report(replace(nasty, full_size="samples"))[1], encoding="utf-8")
    write_made(folder, folder)
    return folder / "report.html"


@pytest.fixture
def alone(report: Path, tmp_path: Path) -> Path:
    """The page without the folder of full-resolution pictures, and without the file that says who made it."""
    return Path(shutil.copy(report, tmp_path))


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
    assert all(url.startswith(("file://", "data:")) for url in requested)
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
  const written = [...document.querySelectorAll('main *:not(style, option)')].filter(
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
    assert len(contrasts) > 200 and {"text", "TD", "FIGCAPTION", "SPAN", "STRONG"} <= {tag for _, tag, _ in contrasts}
    assert contrasts[0][0] >= 4.5, contrasts[:5]
    photograph(page, f"report-{scheme}")


@pytest.mark.parametrize("width", [1280, 700, 360])
def test_it_fits_a_desk_and_a_phone_and_requests_nothing(report: Path, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("h1 span")).to_contain_text("Corrected")
    assert page.title().endswith(NASTY) and "49" not in page.title()
    assert (page.locator("h1").text_content() or "").endswith(NASTY)
    broken = page.evaluate(
        "[...document.querySelectorAll('main img')].filter((image) => !image.naturalWidth || !image.alt).length"
    )
    assert broken == 0
    photograph(page, f"report-{width}")


def test_verdict_numbers_and_pictures_are_on_the_first_screen(report: Path, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(report.as_uri())
    last, picture = (page.locator(name).first.bounding_box() for name in ("#made", ".card img"))
    assert last is not None and picture is not None
    assert last["y"] < picture["y"] and picture["y"] + picture["height"] <= 800 and picture["width"] >= 150
    expect(page.locator("#made")).to_contain_text(re.compile(r"Made \d{4}-\d{2}-\d{2}"))


def test_pairs_are_enlarged_and_compared_by_keyboard(report: Path, page: Page) -> None:
    page.goto(report.as_uri())
    page.locator(".pair").first.focus()
    page.keyboard.press("Enter")
    viewer, about = page.locator("#viewer"), page.locator("#viewer .about")
    images = viewer.locator("img")
    expect(viewer).to_be_visible()
    expect(about).to_contain_text("1 of 3: lying on the grass (target), seed 0")
    expect(viewer.locator(".size")).to_contain_text("Full resolution: 64 × 64 pixels.")
    expect(images.nth(0)).to_have_attribute("alt", "base image of 'lying on the grass', seed 0: extra arm")
    left, right = (images.nth(side).bounding_box() for side in (0, 1))
    assert left is not None and right is not None and left["x"] + left["width"] <= right["x"] and left["width"] > 400
    page.keyboard.press("ArrowRight")
    expect(about).to_contain_text("2 of 3")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(about).to_contain_text("3 of 3")
    photograph(page, "report-viewer")
    page.keyboard.press("z")
    expect(viewer.locator("[data-do=zoom]")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("[...document.querySelectorAll('#viewer img')].map((i) => i.clientWidth)") == [64, 64]
    page.keyboard.press("s")
    assert images.nth(0).bounding_box() == images.nth(1).bounding_box()  # One over the other.
    viewer.locator("input").focus()
    before = viewer.locator("input").input_value()
    page.keyboard.press("ArrowRight")
    expect(about).to_contain_text("3 of 3")  # On the slider, arrows move the slider.
    assert int(viewer.locator("input").input_value()) == int(before) + 1
    photograph(page, "report-slider")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()


def test_pairs_are_enlarged_and_compared_by_touch(report: Path, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    phone = context.new_page()
    phone.goto(report.as_uri())
    phone.locator(".pair").first.tap()
    about, stage = phone.locator("#viewer .about"), phone.locator("#viewer .stage")
    expect(about).to_contain_text("1 of 3")
    box = stage.bounding_box()
    assert box is not None
    touch = context.new_cdp_session(phone)

    def swipe(start: float, end: float, height: float) -> None:
        for kind, place in (("touchStart", start), ("touchMove", (start + end) / 2), ("touchMove", end)):
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": place, "y": height}]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    middle = box["y"] + box["height"] / 4
    slider = phone.locator("[data-do=slider]")
    slider.tap()
    picture = phone.locator("#viewer img").first.bounding_box()
    assert picture is not None
    swipe(picture["x"] + picture["width"] / 2, picture["x"] + picture["width"] / 4, middle)
    phone.wait_for_function("Math.abs(document.querySelector('#viewer input').value - 25) <= 5")
    expect(about).to_contain_text("1 of 3")
    slider.press("Enter")  # The browser takes a tap right after a swipe for the end of the swipe.
    expect(slider).to_have_attribute("aria-pressed", "false")
    swipe(300, 100, middle)
    expect(about).to_contain_text("2 of 3")
    swipe(100, 300, middle)
    expect(about).to_contain_text("1 of 3")
    context.close()


def test_pairs_are_filtered(report: Path, page: Page) -> None:
    page.goto(report.as_uri())
    found, cards = page.locator("#found"), page.locator("#cards .card")
    page.select_option("[name=outcome]", "fixed")
    expect(found).to_have_text("3 of 10 pairs.")
    expect(cards).to_have_count(3)
    page.select_option("[name=outcome]", "changed")
    expect(found).to_have_text("3 of 10 pairs.")
    page.select_option("[name=outcome]", "")
    page.select_option("[name=prompt]", "sitting on the beach")
    expect(found).to_have_text("5 of 10 pairs.")
    page.select_option("[name=prompt]", "")
    page.select_option("[name=kind]", "extra arm")
    expect(found).to_have_text("1 of 10 pairs.")
    page.select_option("[name=kind]", "")
    page.check("[name=raters]")
    expect(found).to_have_text("1 of 10 pairs.")
    expect(cards.first).to_contain_text("Tuned: judge anatomy.")
    assert page.evaluate("[...document.querySelectorAll('#cards img')].every((i) => i.alt)")
    cards.first.locator("button").click()
    expect(page.locator("#viewer .about")).to_contain_text("1 of 1")


def test_without_the_folder_the_page_says_so_and_shows_what_it_holds(alone: Path, page: Page) -> None:
    page.goto(alone.as_uri())
    expect(page.locator("#made")).to_contain_text("git log -1 report/report.html")
    page.locator(".pair").first.click()
    expect(page.locator("#viewer .size")).to_contain_text("the full-resolution picture is not beside this page")
    assert page.evaluate("document.querySelector('#viewer img').naturalWidth") == 64
    page.keyboard.press("Escape")
    page.locator(".filters button").click()
    expect(page.locator("#missing")).to_be_visible()
    expect(page.locator("#found")).to_contain_text("10 of 10 pairs; the page itself holds")


def test_the_readmes_picture_is_the_first_screen(report: Path, tmp_path: Path, browser: Browser) -> None:
    """By the command, in a process of its own: one process drives one browser."""
    for folder in ("docs", "report"):
        (tmp_path / folder).mkdir()
    shutil.copy(report, tmp_path / "report")
    words = [sys.executable, "-m", "commands.report_picture"]
    subprocess.run(words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    assert Image.open(tmp_path / "docs" / "report.png").size == (1280, 1000)


def test_folded_parts_open_by_keyboard(report: Path, page: Page) -> None:
    page.goto(report.as_uri())
    for name in ("Wrong images by prompt", "Resolved parameters"):
        part = page.locator("details", has=page.locator("summary", has_text=name))
        content = part.locator("td").first
        expect(content).to_be_hidden()
        part.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(content).to_be_visible()


def test_dark_and_print(report: Path, page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(report.as_uri())
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    expect(page.locator(".filters")).to_be_hidden()
    # On paper nothing can be opened, so everything is, but for long lists that are for looking things up.
    shown = "[...document.querySelectorAll('details:not(.reference) table')].map((table) => table.checkVisibility())"
    listed = "[...document.querySelectorAll('details.reference table')].map((table) => table.checkVisibility())"
    assert page.evaluate(shown) and all(page.evaluate(shown))
    assert page.evaluate(listed) == [False] * 3
    page.emulate_media(media="screen")
    assert not any(page.evaluate(shown))
    page.emulate_media(media="print")
    assert page.pdf()[:5] == b"%PDF-"
