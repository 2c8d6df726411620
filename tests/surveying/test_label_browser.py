"""The labels' page as raters use it, in a real browser: mouse, keyboard, touch, zoom, interruptions, another device."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from anomend.labelling.records import kinds_of, places_of, read_labels
from anomend.surveying.journals import import_journals, journal_rows
from anomend.surveying.label_answers import label_table
from tests.surveying.conftest import Site, photograph
from tests.surveying.labels import Labels, build_label_page

pytestmark = pytest.mark.slow

Serve = Callable[[Site], str]
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 640},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    """Three pairs, three raters with six pictures each: two pairs, a repeat and a gold picture."""
    return build_label_page(tmp_path)


def first_code(labels: Labels) -> str:
    return next(iter(labels.key.raters))


def rows(labels: Labels, code: str) -> list[dict[str, Any]]:
    return journal_rows(labels.desk.journal(code))


def check_stored(labels: Labels, code: str, answers: list[str]) -> None:
    """The answers are on the server, once those under way have arrived."""
    for _ in range(100):
        if len(rows(labels, code)) >= len(answers):
            break
        time.sleep(0.05)
    assert [row["answer"] for row in rows(labels, code)] == answers


def start(page: Page, address: str, code: str) -> None:
    page.goto(f"{address}/#{code}")
    page.locator(".welcome .primary").click()


def ready(page: Page) -> None:
    """The picture is there, and answers may be given."""
    expect(page.locator(".answers button[value=nothing]")).to_be_enabled()


def answer(page: Page, answers: list[str]) -> None:
    for value in answers:
        ready(page)
        page.locator(f"button[value={value}]").click()


def on_picture(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place of the picture, as shares of its sides, on the page, once the page has settled."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    box = page.locator(".layer img").bounding_box()
    assert box
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def mark(page: Page, kind: str, x: float, y: float) -> None:
    page.locator(f"button[value={kind}]").click()
    page.mouse.click(*on_picture(page, x, y))


def scale(page: Page) -> float:
    """Pixels of the page per pixel of the picture."""
    return float(page.locator(".stage").get_attribute("data-scale") or "nan")


def progress(page: Page) -> Locator:
    return page.locator("#jspsych-progressbar-container span")


def test_labels_by_mouse_with_places_as_shares(labels: Labels, serve: Serve, page: Page, tmp_path: Path) -> None:
    code = first_code(labels)
    page.goto(f"{serve(labels)}/#{code}")
    expect(page.locator("h1")).to_have_text("Pictures of people")
    expect(page.locator(".examples figure")).to_have_count(11)
    photograph(page, "label-welcome-1280")
    page.locator(".welcome .primary").click()
    ready(page)
    photograph(page, "label-answers-1280")
    page.locator("button[value=wrong]").click()
    expect(page.locator(".done")).to_be_disabled()
    mark(page, "hand", 0.25, 0.5)
    # A place is one of the picture and not of the page: zoomed in, the same place gives the same shares.
    page.locator(".zoom").click()
    mark(page, "extra_limb", 0.5, 0.625)
    expect(page.locator(".mark")).to_have_count(2)
    mark(page, "face", 0.6, 0.4)
    page.locator(".marks button").last.click()
    expect(page.locator(".mark")).to_have_count(2)
    photograph(page, "label-marks-1280")
    page.locator(".done").click()
    answer(page, ["nothing", "unsure", "nothing", "unsure", "nothing"])
    expect(page.locator("h1")).to_have_text("Thank you")

    (tmp_path / "labels").mkdir()
    import_journals(labels.journals, tmp_path / "labels", label_table)
    stored = read_labels(tmp_path / "labels", texts=labels.key.texts.values())
    key = labels.key.raters[code]
    assert stored["picture"].tolist() == [one.picture for one in key]
    assert stored["showing"].tolist() == [one.showing for one in key]
    assert stored["gold"].tolist() == [one.gold for one in key]
    assert stored["answer"].tolist() == ["wrong", "nothing", "unsure", "nothing", "unsure", "nothing"]
    assert kinds_of(stored["kinds"][0]) == ["hand", "extra_limb"]
    assert sum(places_of(stored["places"][0]), ()) == pytest.approx((0.25, 0.5, 0.5, 0.625), abs=0.003)
    assert (stored["milliseconds"] > 400).all() and (stored["milliseconds"] < 60_000).all()
    assert set(stored["texts"]) == {labels.key.texts["en"]}


def test_labels_by_keyboard_only(labels: Labels, serve: Serve, page: Page) -> None:
    code = first_code(labels)
    page.goto(serve(labels))
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.locator(".welcome .primary")).to_be_focused()
    page.keyboard.press("Enter")
    ready(page)
    page.keyboard.press("3")
    page.keyboard.press("7")  # A hand.
    for _ in range(5):
        page.keyboard.press("ArrowRight")  # 5 x .02 from the middle
    page.keyboard.press("Shift+ArrowUp")  # .1
    photograph(page, "label-cross-1280")
    page.keyboard.press("Enter")
    expect(page.locator(".mark")).to_have_count(1)
    page.keyboard.press("0")  # Something else: the tenth kind, at the same place.
    page.keyboard.press("Enter")
    expect(page.locator(".mark")).to_have_count(2)
    page.keyboard.press("Backspace")
    expect(page.locator(".mark")).to_have_count(1)
    page.keyboard.press("1")
    page.keyboard.press("Escape")  # No extra limb after all.
    page.keyboard.press("g")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("2")  # No answer to what lies behind the guide.
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator(".mark")).to_have_count(1)
    page.locator(".done").focus()
    page.keyboard.press("Enter")
    for number, key in enumerate("12121", start=1):
        expect(progress(page)).to_have_text(f"{number} of 6")
        ready(page)
        page.keyboard.press("x")  # A key that means nothing answers nothing.
        page.keyboard.press(key)
    expect(page.locator("h1")).to_have_text("Thank you")
    stored = rows(labels, code)
    assert [row["answer"] for row in stored] == ["wrong", "nothing", "unsure", "nothing", "unsure", "nothing"]
    assert stored[0]["kinds"] == "hand" and places_of(stored[0]["places"]) == [(0.6, 0.4)]


def test_labels_by_touch_on_a_phone_of_360_px(labels: Labels, serve: Serve, browser: Browser) -> None:
    code = first_code(labels)
    context = browser.new_context(**PHONE)
    page = context.new_page()
    page.goto(f"{serve(labels)}/#{code}")
    photograph(page, "label-welcome-360")
    page.locator(".welcome .primary").tap()
    ready(page)
    photograph(page, "label-answers-360")
    in_view(page, ".label button")
    page.locator("button[value=wrong]").tap()
    photograph(page, "label-kinds-360")
    in_view(page, ".label button")
    for kind, x, y in (("foot", 0.2, 0.9), ("wrong_length", 0.75, 0.25), ("other", 0.5, 0.5)):
        page.locator(f"button[value={kind}]").tap()
        page.touchscreen.tap(*on_picture(page, x, y))
    expect(page.locator(".mark")).to_have_count(3)
    photograph(page, "label-marks-360")
    in_view(page, ".ends button")
    page.locator(".done").tap()
    for value in ("nothing", "unsure", "nothing", "nothing", "unsure"):
        ready(page)
        page.locator(f"button[value={value}]").tap()
    expect(page.locator("h1")).to_have_text("Thank you")
    first = rows(labels, code)[0]
    assert first["kinds"] == "foot wrong_length other"
    assert sum(places_of(first["places"]), ()) == pytest.approx((0.2, 0.9, 0.75, 0.25, 0.5, 0.5), abs=0.006)
    context.close()


def in_view(page: Page, buttons: str) -> None:
    """All of them are in view without scrolling, and large enough for a thumb."""
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in page.locator(buttons).all():
        box = button.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["y"] + box["height"] <= 640
        assert box["width"] >= 44 and box["height"] >= 43


def test_zoom_reaches_native_pixels_by_click_wheel_and_key(labels: Labels, serve: Serve, page: Page) -> None:
    page.set_viewport_size({"width": 800, "height": 420})  # A picture of 512 px is shown smaller than it is.
    start(page, serve(labels), first_code(labels))
    ready(page)
    whole = scale(page)
    assert whole < 0.75
    # Click: what was under the pointer stays there, now one pixel for one.
    x, y = on_picture(page, 0.3, 0.3)
    page.mouse.click(x, y)
    assert scale(page) == pytest.approx(1, rel=0.001)
    assert on_picture(page, 0.3, 0.3) == pytest.approx((x, y), abs=1)
    page.mouse.click(x, y)
    assert scale(page) == pytest.approx(whole, rel=0.01)
    # Wheel: at the pointer, past native pixels and back to the whole picture.
    page.mouse.move(x, y)
    for _ in range(10):
        page.mouse.wheel(0, -200)
    page.wait_for_function("document.querySelector('.stage').dataset.scale > 1.9")
    assert scale(page) == pytest.approx(max(2, 4 * whole), rel=0.01)
    # Dragged, it moves with the pointer, and answers nothing.
    before = on_picture(page, 0.3, 0.3)
    page.mouse.down()
    page.mouse.move(x + 30, y + 20, steps=4)
    page.mouse.up()
    after = on_picture(page, 0.3, 0.3)
    assert after == pytest.approx((before[0] + 30, before[1] + 20), abs=9)
    for _ in range(20):
        page.mouse.wheel(0, 200)
    page.wait_for_function(f"document.querySelector('.stage').dataset.scale < {whole * 1.01}")
    # Keys: + and -, and Z.
    page.keyboard.press("+")
    assert scale(page) == pytest.approx(1.25 * whole, rel=0.01)
    page.keyboard.press("-")
    page.keyboard.press("z")
    assert scale(page) == pytest.approx(1, rel=0.001)
    expect(progress(page)).to_have_text("0 of 6")


def test_zoom_by_pinch(labels: Labels, serve: Serve, browser: Browser) -> None:
    context = browser.new_context(**PHONE)
    page = context.new_page()
    start(page, serve(labels), first_code(labels))
    ready(page)
    whole = scale(page)
    devtools = context.new_cdp_session(page)
    x, y = on_picture(page, 0.5, 0.5)
    for kind, apart in (("touchStart", 40), ("touchMove", 60), ("touchMove", 90), ("touchMove", 120), ("touchEnd", 0)):
        points = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}] if apart else []
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert scale(page) == pytest.approx(3 * whole, rel=0.05)
    assert on_picture(page, 0.5, 0.5) == pytest.approx((x, y), abs=8)
    expect(progress(page)).to_have_text("0 of 6")
    context.close()


def test_a_double_click_and_a_held_key_answer_once(labels: Labels, serve: Serve, page: Page) -> None:
    code = first_code(labels)
    start(page, serve(labels), code)
    ready(page)
    page.locator("button[value=nothing]").dblclick()
    page.wait_for_timeout(300)
    expect(progress(page)).to_have_text("1 of 6")
    ready(page)
    page.keyboard.down("2")
    for _ in range(8):
        page.wait_for_timeout(120)
        page.keyboard.down("2")  # Playwright marks it as a repeat.
    page.keyboard.up("2")
    expect(progress(page)).to_have_text("2 of 6")
    check_stored(labels, code, ["nothing", "unsure"])


def test_choices_wait_for_the_picture(labels: Labels, serve: Serve, page: Page) -> None:
    held: list[Any] = []
    page.route("**/images/*", lambda route: held.append(route))
    start(page, serve(labels), first_code(labels))
    expect(page.locator(".wait")).to_have_text("The picture is loading …")
    photograph(page, "label-waiting-1280")
    page.keyboard.press("1")
    page.wait_for_timeout(600)
    expect(page.locator("button[value=nothing]")).to_be_disabled()
    expect(progress(page)).to_have_text("0 of 6")
    held[0].continue_()
    page.unroute("**/images/*")
    ready(page)
    expect(page.locator(".wait")).to_have_count(0)


def test_a_closed_tab_leaves_its_answers_and_goes_on_here_and_elsewhere(
    labels: Labels, serve: Serve, page: Page, browser: Browser
) -> None:
    code, address = first_code(labels), serve(labels)
    start(page, address, code)
    answer(page, ["nothing", "unsure"])
    ready(page)
    shown = page.locator(".layer img").get_attribute("src")
    check_stored(labels, code, ["nothing", "unsure"])
    page.reload()
    ready(page)
    assert page.locator(".layer img").get_attribute("src") == shown
    expect(progress(page)).to_have_text("2 of 6")
    # Another device knows nothing, but the server does.
    context = browser.new_context()
    other = context.new_page()
    other.goto(f"{address}/#{code}")
    ready(other)
    assert other.locator(".layer img").get_attribute("src") == shown
    answer(other, ["nothing"] * 4)
    expect(other.locator("h1")).to_have_text("Thank you")
    context.close()
    assert len(rows(labels, code)) == 6
    # The first device sees that all is done.
    page.reload()
    expect(page.locator("h1")).to_have_text("Thank you")


def test_a_second_link_in_the_same_tab_is_another_rater(labels: Labels, serve: Serve, page: Page) -> None:
    first, second, _ = labels.key.raters
    address = serve(labels)
    start(page, address, first)
    answer(page, ["nothing"])
    ready(page)
    page.goto(f"{address}/#{second}")
    page.locator(".welcome .primary").click()
    ready(page)
    expect(progress(page)).to_have_text("0 of 6")
    answer(page, ["unsure"])
    ready(page)
    check_stored(labels, first, ["nothing"])
    check_stored(labels, second, ["unsure"])


def test_answers_of_a_gone_network_arrive_later(labels: Labels, serve: Serve, browser: Browser) -> None:
    code, page = first_code(labels), browser.new_page()
    start(page, serve(labels), code)
    answer(page, ["nothing"])
    ready(page)
    page.route("**/results", lambda route: route.fulfill(status=503))
    answer(page, ["unsure", "nothing"])
    ready(page)
    assert len(rows(labels, code)) == 1
    page.unroute("**/results")
    answer(page, ["unsure"])
    ready(page)
    check_stored(labels, code, ["nothing", "unsure", "nothing", "unsure"])
    page.close()


def test_opened_as_a_file_it_hands_over_a_file_that_is_imported(labels: Labels, page: Page, tmp_path: Path) -> None:
    code = first_code(labels)
    page.goto(f"{(labels.site / 'index.html').as_uri()}#{code}")
    page.locator(".welcome .primary").click()
    answer(page, ["unsure"] * 6)
    expect(page.locator("h1")).to_have_text("Nearly done")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save my answers").click()
    assert download.value.suggested_filename == f"answers-{code}.json"
    labels.desk.take(Path(download.value.path()).read_bytes())
    assert [row["answer"] for row in rows(labels, code)] == ["unsure"] * 6


@pytest.mark.parametrize(
    ("language", "question"), [("de", "Stimmt etwas am Körper nicht?"), ("ko", "몸에 잘못된 곳이 있습니까?")]
)
def test_other_languages(labels: Labels, serve: Serve, browser: Browser, language: str, question: str) -> None:
    code = first_code(labels)
    context = browser.new_context(locale="fr-FR", **PHONE)
    page = context.new_page()
    page.goto(f"{serve(labels)}/#{code}")
    expect(page.locator("h2")).to_have_text("Is anything wrong with the body?")  # The first language, for French.
    page.locator("select").select_option(language)
    page.locator(".welcome .primary").tap()
    ready(page)
    expect(page.locator("h1")).to_have_text(question)
    assert page.evaluate("document.documentElement.lang") == language
    page.locator("button[value=wrong]").tap()
    in_view(page, ".label button")
    page.locator("button[value=fused_limb]").tap()
    page.touchscreen.tap(*on_picture(page, 0.5, 0.5))
    photograph(page, f"label-{language}-360")
    page.locator(".done").tap()
    ready(page)
    check_stored(labels, code, ["wrong"])
    assert rows(labels, code)[0]["texts"] == labels.key.texts[language]
    context.close()


def test_the_same_link_in_two_tabs_stops_the_slower_one_which_then_goes_on(
    labels: Labels, serve: Serve, browser: Browser
) -> None:
    code, address = first_code(labels), serve(labels)
    first, second = browser.new_page(), browser.new_page()
    for page in (first, second):
        start(page, address, code)
        ready(page)
    answer(first, ["nothing"])
    ready(first)
    answer(second, ["unsure"])
    expect(second.locator("h1")).to_have_text("Not accepted")
    second.keyboard.press("1")
    second.wait_for_timeout(300)
    check_stored(labels, code, ["nothing"])
    second.reload()
    ready(second)
    expect(progress(second)).to_have_text("1 of 6")
    answer(second, ["unsure"] * 5)
    expect(second.locator("h1")).to_have_text("Thank you")
    check_stored(labels, code, ["nothing", *["unsure"] * 5])
    first.close()
    second.close()
