"""The survey as people take it, in a real browser: by mouse, by keyboard, on a phone, interrupted, from a file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from anomend.surveying.responses import read_responses
from tests.surveying.conftest import MARKUP, TEXTS, Survey, build, photograph

pytestmark = pytest.mark.slow

Serve = Callable[[Survey], str]
CHOICES = ("left", "right", "unsure")
START = "I agree, start"
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 640},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


def images_ready(page: Page) -> None:
    expect(page.locator("button[value=left]")).to_be_enabled()


def progress(page: Page) -> Locator:
    return page.locator("#jspsych-progressbar-container span")


def begin(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name=START).click()


def click_through(page: Page, choices: list[str]) -> None:
    """Answer the pairs that follow, one click each."""
    for choice in choices:
        images_ready(page)
        before = progress(page).text_content()
        page.locator(f"button[value={choice}]").click()
        expect(progress(page)).not_to_have_text(str(before))


def choices_for(survey: Survey, code: str) -> list[str]:
    """Left, right, unsure, left, ..."""
    return [CHOICES[trial % 3] for trial in range(len(survey.key.participants[code]))]


def first_code(survey: Survey) -> str:
    return next(iter(survey.key.participants))


def check_kept(survey: Survey, code: str, choices: list[str]) -> None:
    """The answers are on the server, once those under way have arrived."""
    for _ in range(100):
        if len(survey.rows(code)) >= len(choices):
            break
        time.sleep(0.05)
    assert [row["choice"] for row in survey.rows(code)] == choices


def check_stored(survey: Survey, code: str, choices: list[str]) -> pd.DataFrame:
    """All answers are there, unblinded, and can be imported."""
    check_kept(survey, code, choices)
    survey.imported()
    stored = read_responses([survey.results / f"{code}.csv"])
    trials = survey.key.participants[survey.desk.plan_of(code)]
    assert list(stored["choice"]) == choices
    assert list(stored["left_model"]) == [trial.left_model for trial in trials]
    assert list(stored["pair"]) == [trial.pair for trial in trials]
    assert (stored["reaction_ms"] >= 0).all() and (stored["reaction_ms"] < 60_000).all()
    return stored


def test_a_whole_survey_by_mouse(survey: Survey, serve: Serve, page: Page) -> None:
    code = first_code(survey)
    page.goto(f"{serve(survey)}/#{code}")
    expect(page.locator("h1")).to_have_text("Which picture looks more natural?")
    assert "<script>" in str(page.locator(".text").text_content())
    assert survey.key.consents["en"] in str(page.locator(".small-print").text_content())
    photograph(page, "survey-consent-1280")
    page.get_by_role("button", name=START).click()
    images_ready(page)
    photograph(page, "survey-pair-1280")
    choices = choices_for(survey, code)
    # The mouse rests where the last choice was made, and draws the eye to no side.
    borders = "(buttons) => buttons.map((button) => getComputedStyle(button).borderColor)"
    page.locator("button[value=left]").hover()
    assert len(set(page.locator(".choice").evaluate_all(borders))) == 1
    click_through(page, choices)
    expect(page.locator("h1")).to_have_text("Thank you")
    expect(page.locator(".completion-code")).to_have_text("DONE1")
    photograph(page, "survey-end-1280")
    stored = check_stored(survey, code, choices)
    assert set(stored["texts"]) == {survey.key.texts["en"]} and set(stored["survey"]) == {survey.key.survey}
    assert page.title() == "Which picture looks more natural?"  # And not what the markup would have made of it.


def test_a_whole_survey_by_keyboard(survey: Survey, serve: Serve, page: Page) -> None:
    code = list(survey.key.participants)[1]
    page.goto(serve(survey))
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=START)).to_be_focused()
    page.keyboard.press("Enter")
    choices = choices_for(survey, code)
    keys = {"left": "ArrowLeft", "right": "ArrowRight", "unsure": "ArrowDown"}
    for number, choice in enumerate(choices):
        images_ready(page)
        page.wait_for_timeout(30)
        page.keyboard.press("x")  # A key that means nothing answers nothing.
        expect(progress(page)).to_have_text(f"{number} of {len(choices)}")
        page.keyboard.press(keys[choice])
        expect(progress(page)).to_have_text(f"{number + 1} of {len(choices)}")
    expect(page.locator("h1")).to_have_text("Thank you")
    check_stored(survey, code, choices)


def test_a_double_click_and_a_held_key_answer_once(survey: Survey, serve: Serve, page: Page) -> None:
    code = first_code(survey)
    begin(page, f"{serve(survey)}/#{code}")
    images_ready(page)
    page.keyboard.down("ArrowRight")
    for _ in range(6):
        page.wait_for_timeout(100)
        page.keyboard.down("ArrowRight")  # Playwright marks it as a repeat.
    page.keyboard.up("ArrowRight")
    expect(progress(page)).to_have_text("1 of 10")
    check_kept(survey, code, ["right"])


def test_a_closed_tab_goes_on_where_it_stopped(survey: Survey, serve: Serve, browser: Browser) -> None:
    code, address = first_code(survey), serve(survey)
    choices = choices_for(survey, code)
    context = browser.new_context()
    page = context.new_page()
    begin(page, f"{address}/#{code}")
    click_through(page, choices[:4])
    images_ready(page)
    shown = page.locator(".layer img").first.get_attribute("src")
    check_kept(survey, code, choices[:4])  # Who stops here has left a trace.
    page.close()
    page = context.new_page()
    page.goto(f"{address}/#{code}")
    images_ready(page)
    assert page.locator(".layer img").first.get_attribute("src") == shown
    expect(progress(page)).to_have_text(f"4 of {len(choices)}")
    click_through(page, choices[4:])
    expect(page.locator("h1")).to_have_text("Thank you")
    check_stored(survey, code, choices)
    # Opened again, it neither starts anew nor sends again.
    page.reload()
    expect(page.locator("h1")).to_have_text("Thank you")
    expect(page.locator(".completion-code")).to_have_text("DONE1")
    assert [path.name for path in survey.results.iterdir()] == [f"{code}.csv"]
    context.close()


def test_another_device_goes_on_by_the_short_code(survey: Survey, serve: Serve, page: Page, browser: Browser) -> None:
    code, address = first_code(survey), serve(survey)
    page.goto(f"{address}/#{code}")
    short = str(page.locator(".short-code").text_content())
    assert short == f"{code[:4]}-{code[4:8]}"
    page.get_by_role("button", name=START).click()
    click_through(page, ["left", "unsure"])
    images_ready(page)
    check_kept(survey, code, ["left", "unsure"])
    page.locator(".help").click()
    expect(page.locator("dialog .short-code")).to_have_text(short)
    photograph(page, "survey-help-1280")
    page.keyboard.press("Escape")
    context = browser.new_context()
    other = context.new_page()
    other.goto(address)
    other.locator("input").fill(short.upper())
    other.keyboard.press("Enter")
    images_ready(other)
    expect(progress(other)).to_have_text("2 of 10")
    click_through(other, ["right"] * 8)
    expect(other.locator("h1")).to_have_text("Thank you")
    check_stored(survey, code, ["left", "unsure", *["right"] * 8])
    context.close()
    # The first device sees that all is done.
    page.reload()
    expect(page.locator("h1")).to_have_text("Thank you")


def test_a_used_link_says_so_at_the_start(survey: Survey, serve: Serve, page: Page, browser: Browser) -> None:
    code, address = first_code(survey), serve(survey)
    begin(page, f"{address}/#{code}")
    click_through(page, ["left"] * 10)
    expect(page.locator("h1")).to_have_text("Thank you")
    context = browser.new_context()
    other = context.new_page()
    other.goto(f"{address}/#{code}")
    expect(other.locator("h1")).to_have_text("This link has been used")
    expect(other.locator(".text")).to_contain_text("ask the person who invited you for a new one")
    assert "DONE1" not in other.content() and other.locator("button").count() == 0
    photograph(other, "survey-used-1280")
    context.close()


def test_a_second_link_in_the_same_tab_is_another_participant(survey: Survey, serve: Serve, page: Page) -> None:
    first, second, *_ = survey.key.participants
    address = serve(survey)
    begin(page, f"{address}/#{first}")
    click_through(page, ["left", "left"])
    images_ready(page)
    begin(page, f"{address}/#{second}")
    images_ready(page)
    expect(progress(page)).to_have_text("0 of 10")
    click_through(page, ["right"] * 10)
    expect(page.locator("h1")).to_have_text("Thank you")
    check_kept(survey, first, ["left", "left"])
    check_kept(survey, second, ["right"] * 10)
    # After the second has finished, the first goes on.
    page.goto(f"{address}/#{first}")
    images_ready(page)
    expect(progress(page)).to_have_text("2 of 10")


def test_a_changed_question_starts_anew_and_is_read(serve: Serve, browser: Browser, tmp_path: Path) -> None:
    page, surveys = browser.new_page(), []
    for number, question in enumerate((TEXTS.question, "Which picture do you like less?")):
        (tmp_path / str(number)).mkdir()
        own = type(TEXTS)(title=TEXTS.title, question=question, consent=TEXTS.consent)
        surveys.append(build(tmp_path / str(number), 2, own=own))
    before, after = surveys
    begin(page, f"{serve(before)}/#{first_code(before)}")
    click_through(page, ["left"])
    images_ready(page)
    address = serve(after)
    page.goto(f"{address}/#{first_code(before)}")  # The earlier link.
    expect(page.locator(".problem")).to_contain_text("not known")
    begin(page, f"{address}/#{first_code(after)}")
    expect(page.locator("h1")).to_have_text("Which picture do you like less?")
    click_through(page, ["right"])
    check_kept(after, first_code(after), ["right"])
    assert after.rows(first_code(after))[0]["texts"] != before.rows(first_code(before))[0]["texts"]
    page.close()


def test_prolific_leads_to_a_completion_code_and_back(
    serve: Serve, page: Page, browser: Browser, tmp_path: Path
) -> None:
    survey = build(tmp_path, 3, pairs=2, repeats=0, catches=1, quota=1)
    back = f"{serve(survey)}/index.html?cc=C0MPLETE"  # In place of Prolific's own address.
    survey = Survey(
        survey.site,
        survey.key,
        survey.results,
        survey.recruiting.model_copy(
            update={"finished": survey.recruiting.finished.model_copy(update={"code": "C0MPLETE", "url": back})}
        ),
    )
    address = serve(survey)
    ids = "PROLIFIC_PID=5f2d9a7c1e&STUDY_ID=study-77&SESSION_ID=session-88"
    page.goto(f"{address}/?{ids}")
    page.get_by_role("button", name=START).click()
    assert "5f2d9a7c1e" not in page.url  # It left the address, and so the browser's history.
    assert "5f2d9a7c1e" not in page.evaluate("JSON.stringify(localStorage)")
    click_through(page, ["left", "right", "left"])
    expect(page.locator(".completion-code")).to_have_text("C0MPLETE")
    expect(page.locator("a.return")).to_be_focused()
    photograph(page, "survey-completion-1280")
    code = survey.entries.read_text().partition('"code": "')[2][:13]
    check_stored(survey, code, ["left", "right", "left"])
    # Coming back through the platform, also elsewhere, gives the code once more; somebody else finds it full.
    context = browser.new_context()
    other = context.new_page()
    other.goto(f"{address}/?{ids}")
    expect(other.locator(".completion-code")).to_have_text("C0MPLETE")
    other.goto(f"{address}/?PROLIFIC_PID=somebody-else")
    expect(other.locator("h1")).to_have_text("This survey is complete")
    expect(other.locator(".completion-code")).to_have_text("FULL1")
    other.goto(f"{address}/?PROLIFIC_PID=")
    expect(other.locator("h1")).to_have_text("This link does not say who you are")
    context.close()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or not any(
            identity in path.read_bytes() for identity in (b"5f2d9a7c1e", b"study-77", b"session-88", b"somebody-else")
        )
    page.locator("a.return").click()
    page.wait_for_url("**/index.html?cc=C0MPLETE")


def test_a_small_window_waits_and_a_small_screen_is_refused(serve: Serve, browser: Browser, tmp_path: Path) -> None:
    survey = build(tmp_path, 2, min_screen_width=900)
    address = serve(survey)
    context = browser.new_context(viewport={"width": 700, "height": 700}, screen={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(f"{address}/#{first_code(survey)}")
    expect(page.locator(".text")).to_contain_text("at least 900 pixels wide; yours has 700")
    page.set_viewport_size({"width": 1000, "height": 700})
    expect(page.get_by_role("button", name=START)).to_be_visible()
    context.close()
    context = browser.new_context(**PHONE, screen={"width": 360, "height": 640})
    page = context.new_page()
    page.goto(f"{address}/?PROLIFIC_PID=abc")
    expect(page.locator("h1")).to_have_text("This screen is too small")
    expect(page.locator(".completion-code")).to_have_text("SMALL1")
    photograph(page, "survey-small-360")
    assert not survey.entries.exists()  # No place is taken.
    context.close()


def test_a_participant_withdraws(survey: Survey, serve: Serve, page: Page) -> None:
    code, address = first_code(survey), serve(survey)
    begin(page, f"{address}/#{code}")
    click_through(page, ["left", "right"])
    images_ready(page)
    check_kept(survey, code, ["left", "right"])
    page.locator(".help").click()
    page.get_by_role("button", name="Withdraw").click()
    photograph(page, "survey-withdraw-1280")
    page.get_by_role("button", name="Delete my answers").click()
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator("h1")).to_have_text("You have withdrawn")
    assert survey.rows(code) == [] and survey.imported() == []
    page.goto("about:blank")
    page.goto(f"{address}/#{code}")
    expect(page.locator("h1")).to_have_text("You have withdrawn")


def test_zoom_shows_the_same_place_of_both_pictures(serve: Serve, page: Page, tmp_path: Path) -> None:
    survey = build(tmp_path, 2, size=1024)
    begin(page, f"{serve(survey)}/#{first_code(survey)}")
    images_ready(page)

    def views() -> list[list[float]]:
        """Scale, and the place at the middle of the stage as shares, of both pictures."""
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        script = """(stages) => stages.map((stage) => {
            const box = stage.getBoundingClientRect(), picture = stage.querySelector('img').getBoundingClientRect();
            return [picture.width / 1024, (box.x + box.width / 2 - picture.x) / picture.width,
                (box.y + box.height / 2 - picture.y) / picture.height];
        })"""
        return page.locator(".stage").evaluate_all(script)  # type: ignore[no-any-return]

    whole = views()
    assert whole[0][0] > 0.55 and whole[0] == pytest.approx(whole[1])  # Larger than the 529 pixels of before.
    photograph(page, "survey-large-1280")
    box = page.locator(".stage").last.bounding_box()
    assert box
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    zoomed = views()
    assert zoomed[0][0] == pytest.approx(1, abs=0.002)  # A pixel of the picture is a pixel of the page.
    assert zoomed[0] == pytest.approx(zoomed[1], abs=0.002) and zoomed[0][1] < 0.5
    photograph(page, "survey-zoomed-1280")
    page.keyboard.press("Shift+ArrowRight")
    moved = views()
    assert moved[0][1] > zoomed[0][1] and moved[0] == pytest.approx(moved[1], abs=0.002)
    page.keyboard.press("z")
    assert views()[1] == pytest.approx(whole[1], abs=0.002)
    page.keyboard.press("+")
    assert views()[1][0] == pytest.approx(1.25 * whole[1][0], rel=0.01)
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    for _ in range(10):
        page.mouse.wheel(0, -200)
    assert views()[0][0] > 1.9
    expect(progress(page)).to_have_text("0 of 10")


def test_a_line_of_200_kb_per_second_shows_the_wait_and_stays_usable(serve: Serve, page: Page, tmp_path: Path) -> None:
    survey = build(tmp_path, 2, pairs=3, repeats=0, catches=0, size=1024, grain=2)
    kilobytes = sum(path.stat().st_size for path in (survey.site / "images").iterdir()) / 1000
    assert 6 * 150 < kilobytes < 6 * 600
    code, address = first_code(survey), serve(survey)
    images: list[str] = []
    page.on("request", lambda request: images.append(request.url) if "/images/" in request.url else None)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 80, "downloadThroughput": 200_000, "uploadThroughput": 100_000},
    )
    begin(page, f"{address}/#{code}")
    expect(page.locator(".wait")).to_have_text("The pictures are loading …")
    expect(page.locator("button[value=left]")).to_be_disabled()
    photograph(page, "survey-waiting-1280")
    page.keyboard.press("ArrowLeft")
    expect(progress(page)).to_have_text("0 of 3")
    for number in range(3):
        expect(page.locator("button[value=left]")).to_be_enabled(timeout=20_000)
        expect(page.locator(".wait")).to_have_count(0)
        page.keyboard.press("ArrowLeft")
        expect(progress(page)).to_have_text(f"{number + 1} of 3")
    expect(page.locator("h1")).to_have_text("Thank you")
    check_kept(survey, code, ["left"] * 3)
    assert len(set(images)) == 6
    # What was fetched ahead is not fetched again.
    sizes = page.evaluate("performance.getEntriesByType('resource').map((one) => [one.name, one.transferSize])")
    moved = sum(size for name, size in sizes if "/images/" in name) / 1000
    assert moved < 1.1 * kilobytes


def test_opened_as_a_file_it_hands_over_a_file(survey: Survey, page: Page) -> None:
    code = first_code(survey)
    choices = choices_for(survey, code)
    begin(page, f"{(survey.site / 'index.html').as_uri()}#{code}")
    click_through(page, choices)
    expect(page.locator("h1")).to_have_text("Nearly done")
    photograph(page, "survey-file-1280")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save my answers").click()
    assert download.value.suggested_filename == f"answers-{code}.json"
    survey.desk.take(Path(download.value.path()).read_bytes())
    check_stored(survey, code, choices)


def test_a_phone_of_360_px(survey: Survey, serve: Serve, browser: Browser) -> None:
    code = first_code(survey)
    choices = choices_for(survey, code)
    context = browser.new_context(**PHONE)
    page = context.new_page()
    page.goto(f"{serve(survey)}/#{code}")
    photograph(page, "survey-consent-360")
    page.get_by_role("button", name=START).tap()
    for number, choice in enumerate(choices):
        images_ready(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        # All that is needed to answer is in view, without scrolling, and large enough for a thumb.
        for button in page.locator(".pair button").all():
            box = button.bounding_box()
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["y"] + box["height"] <= 640
            assert box["width"] >= 44 and box["height"] >= 43
        if number == 0:
            photograph(page, "survey-pair-360")
        page.locator(f"button[value={choice}]").tap()
        expect(progress(page)).to_have_text(f"{number + 1} of {len(choices)}")
    expect(page.locator("h1")).to_have_text("Thank you")
    check_stored(survey, code, choices)
    context.close()


def test_a_tap_on_a_phone_shows_pixels_of_both_pictures(serve: Serve, browser: Browser, tmp_path: Path) -> None:
    survey = build(tmp_path, 2, size=1024)
    context = browser.new_context(**PHONE)
    page = context.new_page()
    page.goto(f"{serve(survey)}/#{first_code(survey)}")
    page.get_by_role("button", name=START).tap()
    images_ready(page)
    photograph(page, "survey-large-360")
    page.locator(".stage").first.tap()
    for stage in page.locator(".stage").all():
        expect(stage).to_have_attribute("data-scale", "1.000")
    photograph(page, "survey-zoomed-360")
    page.locator(".zoom").tap()
    expect(page.locator(".stage").last).not_to_have_attribute("data-scale", "1.000")
    expect(progress(page)).to_have_text("0 of 10")
    context.close()


@pytest.mark.parametrize(
    ("locale", "question", "start"),
    [
        ("de-AT", "Welches Bild wirkt natürlicher?", "Einverstanden, anfangen"),
        ("ko-KR", "어느 그림이 더 자연스러워 보입니까?", "동의하고 시작하기"),
    ],
)
def test_the_browsers_language_is_used_and_another_one_can_be_chosen(
    serve: Serve, browser: Browser, tmp_path: Path, locale: str, question: str, start: str
) -> None:
    survey = build(tmp_path, 2, own=default_texts(), languages=("en", "de", "ko"))
    code, language = first_code(survey), locale[:2]
    context = browser.new_context(locale=locale, **PHONE)
    page = context.new_page()
    page.goto(f"{serve(survey)}/#{code}")
    expect(page.get_by_role("button", name=start)).to_be_visible()
    photograph(page, f"survey-consent-{language}-360")
    page.locator("select").select_option("en")
    expect(page.get_by_role("button", name=START)).to_be_visible()
    page.locator("select").select_option(language)
    page.get_by_role("button", name=start).tap()
    images_ready(page)
    expect(page.locator("h1")).to_have_text(question)
    assert page.evaluate("document.documentElement.lang") == language
    photograph(page, f"survey-pair-{language}-360")
    page.locator("button[value=left]").tap()
    check_kept(survey, code, ["left"])
    assert survey.rows(code)[0]["texts"] == survey.key.texts[language]
    assert survey.rows(code)[0]["consent"] == survey.key.consents[language]
    context.close()


def default_texts() -> Any:
    from tests.parameters import params_of, user_params

    params = params_of(user_params()).survey
    return type(TEXTS)(title=params.title, question=params.question, consent=params.consent)


def test_markup_in_a_prompt_stays_text(survey: Survey, serve: Serve, page: Page) -> None:
    code = first_code(survey)
    plan = (survey.site / "plans" / f"{code}.js").read_text()
    prompts = [trial["prompt"] for trial in json.loads(plan[plan.index("{") : plan.rindex(";")])["trials"]]
    begin(page, f"{serve(survey)}/#{code}")
    click_through(page, ["left"] * prompts.index(MARKUP))
    images_ready(page)
    assert page.locator(".prompt q").text_content() == MARKUP
    assert page.locator(".prompt b, .prompt img").count() == 0
    photograph(page, "survey-markup-1280")


@pytest.mark.parametrize("code", ["aaaaaaaaaaaaa", "aaaaaaaa", "../../etc/passwd", "<b>x</b>"])
def test_an_unknown_code_asks_again(code: str, survey: Survey, serve: Serve, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(serve(survey))
    page.locator("input").fill(code)
    page.keyboard.press("Enter")
    expect(page.locator(".problem")).to_contain_text("code")
    expect(page.locator("input")).to_be_visible()
    page.close()
