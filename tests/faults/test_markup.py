"""Markup, scripts and templates in prompts, file names and survey texts stay text, in report and survey."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from anomend.surveying.key import read_key
from tests.clones import run
from tests.faults.faulty import outputs
from tests.faults.odd_texts import CONSENT, HELD_OUT, QUESTION, TARGET, TITLE
from tests.faults.table import Row, record

pytestmark = pytest.mark.slow
AS_WRITTEN = "shown as they are written"


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and every text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_report_shows_odd_texts_and_runs_none(reproduced_whole: Path) -> None:
    page = Tags((reproduced_whole / "report" / "report.html").read_text(encoding="utf-8"))
    for tag, attributes in page.tags:
        assert tag not in ("b", "i", "iframe", "object", "base"), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert not (attributes.get("href") or "").lower().startswith("javascript"), attributes
        assert attributes.get("src") != "x"
    # The page's own: the list of pairs, the viewer, and the file that says who made it.
    assert [tag for tag, _ in page.tags].count("script") == 3
    shown = words(page.text)
    for text in [*TARGET, *HELD_OUT, TITLE, QUESTION]:
        assert words(text) in shown, text
    assert "{{ 7*7 }}" in shown and "{% raw %}" in shown

    markdown = (reproduced_whole / "report" / "report.md").read_text(encoding="utf-8")
    tags = set(re.findall(r"<\s*/?\s*([a-zA-Z]+)", markdown))
    assert tags <= {"details", "summary"}, tags
    assert not re.search(r"@team|(?<!\\)\*\*bold", markdown)
    for text in [*TARGET, *HELD_OUT, TITLE]:
        plain = html.unescape(re.sub(r"\\(.)", r"\1", markdown)).replace("@\u200b", "@")
        assert words(text).replace("\\", "") in plain.replace("\\", ""), text
    record(Row("report", "markup and templates in prompts, title and file names", 1, 0, AS_WRITTEN))


def test_file_names_with_shell_words_run_nothing(reproduced_whole: Path) -> None:
    assert not list(reproduced_whole.rglob("hacked"))
    names = [name for name in outputs(reproduced_whole) if name.startswith("data/samples/")]
    assert len(names) == len({name.lower() for name in names}) == 2 * (len(TARGET) + len(HELD_OUT)) * 6 + 2
    record(Row("collect", "markup, quotes and shell words in the names of own pictures", 1, 0, AS_WRITTEN))


def watched(browser: Browser) -> tuple[Page, list[str]]:
    """A page, and what its scripts did that no text may: dialogs, errors, requests for `x`."""
    page, done = browser.new_page(), []
    page.on("dialog", lambda dialog: (done.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: done.append(str(error)))
    page.on("request", lambda request: done.append(request.url) if request.url.endswith("/x") else None)
    return page, done


def test_a_browser_shows_both_pages_and_runs_no_text(reproduced_whole: Path, browser: Browser) -> None:
    page, done = watched(browser)
    page.goto((reproduced_whole / "report" / "report.html").as_uri())
    assert words(TITLE) in words(page.locator("body").inner_text())
    code = next(iter(read_key(reproduced_whole / "data" / "survey_key.json").participants))
    page.goto((reproduced_whole / "survey" / "index.html").as_uri() + f"#{code}")
    page.get_by_role("button", name="I agree, start").wait_for()
    shown = words(page.locator("body").inner_text())
    assert words(TITLE) in shown and words(CONSENT) in shown and page.title() == TITLE
    page.get_by_role("button", name="I agree, start").click()
    page.get_by_text("Which <i>picture</i>").wait_for()
    shown = words(page.locator("body").inner_text())
    assert words(QUESTION) in shown and any(words(prompt) in shown for prompt in [*TARGET, *HELD_OUT])
    assert page.locator("script:not([src])").count() == 0 and page.locator("img[src=x], svg[onload]").count() == 0
    assert done == []
    page.close()
    record(
        Row(
            "survey",
            "markup and templates in prompts and survey texts, in a browser",
            1,
            0,
            AS_WRITTEN,
        )
    )


def test_the_summary_and_the_metrics_bear_odd_texts(reproduced_whole: Path) -> None:
    assert "verdict: " in run(reproduced_whole, "python", "-m", "commands.summary").stdout
    assert "verdict" in run(reproduced_whole, "dvc", "metrics", "show").stdout
