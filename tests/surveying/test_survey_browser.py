"""The survey as people take it, in a real browser: by mouse, by keyboard, on a phone, interrupted, from a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from anomend.surveying.responses import read_responses
from anomend.surveying.submissions import parse_submission, unblind
from tests.surveying.conftest import MARKUP, Survey, photograph

pytestmark = pytest.mark.slow

Serve = Callable[[Survey], str]
CHOICES = ("left", "right", "unsure")


def images_ready(page: Page) -> None:
    expect(page.locator(".image").first).to_be_enabled()


def click_through(page: Page, choices: list[str]) -> None:
    """Answer the pairs that follow, one click each."""
    for choice in choices:
        images_ready(page)
        before = page.locator("#jspsych-progressbar-container span").text_content()
        page.locator(f"button[value={choice}]").click()
        expect(page.locator("#jspsych-progressbar-container span")).not_to_have_text(str(before))


def choices_for(survey: Survey, code: str) -> list[str]:
    """Left, right, unsure, left, ..."""
    return [CHOICES[trial % 3] for trial in range(len(survey.key.participants[code]))]


def check_stored(survey: Survey, code: str, choices: list[str]) -> pd.DataFrame:
    stored = read_responses([survey.results / f"{code}.csv"])
    trials = survey.key.participants[code]
    assert list(stored["choice"]) == choices
    assert list(stored["left_model"]) == [trial.left_model for trial in trials]
    assert list(stored["pair"]) == [trial.pair for trial in trials]
    assert (stored["reaction_ms"] >= 0).all() and (stored["reaction_ms"] < 60_000).all()
    return stored


def test_a_whole_survey_by_mouse(survey: Survey, serve: Serve, page: Page) -> None:
    code = next(iter(survey.key.participants))
    page.goto(f"{serve(survey)}/#{code}")
    expect(page.locator("h1")).to_have_text("Which picture looks more natural?")
    assert "<script>" in str(page.locator(".text").text_content())
    photograph(page, "survey-consent-1280")
    page.get_by_role("button", name="I agree, start").click()
    images_ready(page)
    photograph(page, "survey-pair-1280")
    choices = choices_for(survey, code)
    click_through(page, choices)
    expect(page.locator("h1")).to_have_text("Thank you")
    photograph(page, "survey-end-1280")
    check_stored(survey, code, choices)
    assert page.title() == "Which picture looks more natural?"  # And not what the markup would have made of it.


def test_a_whole_survey_by_keyboard(survey: Survey, serve: Serve, page: Page) -> None:
    code = list(survey.key.participants)[1]
    page.goto(serve(survey))
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="I agree, start")).to_be_focused()
    page.keyboard.press("Enter")
    choices = choices_for(survey, code)
    keys = {"left": "ArrowLeft", "right": "ArrowRight", "unsure": "ArrowDown"}
    for number, choice in enumerate(choices):
        images_ready(page)
        page.wait_for_timeout(30)
        page.keyboard.press("x")  # A key that means nothing answers nothing.
        expect(page.locator("#jspsych-progressbar-container span")).to_have_text(f"{number} of {len(choices)}")
        page.keyboard.press(keys[choice])
        expect(page.locator("#jspsych-progressbar-container span")).to_have_text(f"{number + 1} of {len(choices)}")
    expect(page.locator("h1")).to_have_text("Thank you")
    check_stored(survey, code, choices)


def test_a_reload_in_the_middle_goes_on_where_it_stopped(survey: Survey, serve: Serve, page: Page) -> None:
    code = next(iter(survey.key.participants))
    choices = choices_for(survey, code)
    page.goto(f"{serve(survey)}/#{code}")
    page.get_by_role("button", name="I agree, start").click()
    click_through(page, choices[:4])
    images_ready(page)
    shown = page.locator(".image img").first.get_attribute("src")
    page.reload()
    images_ready(page)
    assert page.locator(".image img").first.get_attribute("src") == shown
    expect(page.locator("#jspsych-progressbar-container span")).to_have_text(f"4 of {len(choices)}")
    click_through(page, choices[4:])
    expect(page.locator("h1")).to_have_text("Thank you")
    check_stored(survey, code, choices)
    # Opened again, it neither starts anew nor sends again.
    page.reload()
    expect(page.locator("h1")).to_have_text("Thank you")
    assert [path.name for path in survey.results.iterdir()] == [f"{code}.csv"]


def test_opened_as_a_file_it_hands_over_a_file(survey: Survey, page: Page) -> None:
    code = next(iter(survey.key.participants))
    choices = choices_for(survey, code)
    page.goto(f"{(survey.site / 'index.html').as_uri()}#{code}")
    page.get_by_role("button", name="I agree, start").click()
    click_through(page, choices)
    expect(page.locator("h1")).to_have_text("Nearly done")
    photograph(page, "survey-file-1280")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save my answers").click()
    assert download.value.suggested_filename == f"answers-{code}.json"
    submission = parse_submission(Path(download.value.path()).read_bytes(), survey.key)
    assert list(unblind(submission, survey.key)["choice"]) == choices


def test_a_phone_of_360_px(survey: Survey, serve: Serve, browser: Browser) -> None:
    code = next(iter(survey.key.participants))
    choices = choices_for(survey, code)
    context = browser.new_context(
        viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True, device_scale_factor=2
    )
    page = context.new_page()
    page.goto(f"{serve(survey)}/#{code}")
    photograph(page, "survey-consent-360")
    page.get_by_role("button", name="I agree, start").tap()
    for number, choice in enumerate(choices):
        images_ready(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        # All that is needed to answer is in view, without scrolling, and large enough for a thumb.
        for button in page.locator(".pair button").all():
            box = button.bounding_box()
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["y"] + box["height"] <= 640
            assert box["width"] >= 44 and box["height"] >= 44
        if number == 0:
            photograph(page, "survey-pair-360")
        page.locator(f"button[value={choice}]").tap()
        expect(page.locator("#jspsych-progressbar-container span")).to_have_text(f"{number + 1} of {len(choices)}")
    expect(page.locator("h1")).to_have_text("Thank you")
    check_stored(survey, code, choices)
    context.close()


def test_markup_in_a_prompt_stays_text(survey: Survey, serve: Serve, page: Page) -> None:
    code = next(iter(survey.key.participants))
    plan = (survey.site / "plans" / f"{code}.js").read_text()
    prompts = [trial["prompt"] for trial in json.loads(plan[plan.index("{") : plan.rindex(";")])["trials"]]
    page.goto(f"{serve(survey)}/#{code}")
    page.get_by_role("button", name="I agree, start").click()
    click_through(page, ["left"] * prompts.index(MARKUP))
    images_ready(page)
    assert page.locator(".prompt q").text_content() == MARKUP
    assert page.locator(".prompt b, .prompt img").count() == 0
    photograph(page, "survey-markup-1280")


@pytest.mark.parametrize("code", ["aaaaaaaaaaaaa", "../../etc/passwd", "<b>x</b>"])
def test_an_unknown_code_asks_again(code: str, survey: Survey, serve: Serve, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(serve(survey))
    page.locator("input").fill(code)
    page.keyboard.press("Enter")
    expect(page.locator(".problem")).to_contain_text("code")
    expect(page.locator("input")).to_be_visible()
    page.close()
