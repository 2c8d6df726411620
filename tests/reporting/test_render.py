"""The two reports as a reader, a browser and a reviewer's e-mail client see them."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.render import render_report
from anomend.reporting.templating import escape_markdown

VOID = {"meta", "img", "br", "input"}
HEADINGS = (
    "The first seeds, whatever their result",
    "All pairs",
    "What was required",
    "What it cost elsewhere",
    "People and judges",
    "This run",
)
NASTY = "lying <script>alert(1)</script> | on $the$ **grass** @team `x`\nnext"


class Page(HTMLParser):
    """Tags, texts and attributes of a page; tags must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data.strip()))

    def of(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


@pytest.fixture(scope="session")
def reports(inputs: ReportInputs) -> tuple[str, str]:
    return render_report(inputs)


@pytest.fixture(scope="session")
def full(complete: ReportInputs) -> tuple[str, str]:
    return render_report(complete)


def test_nothing_is_fetched_from_elsewhere(full: tuple[str, str]) -> None:
    page = Page(full[1])
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "srcset", "href", "xlink:href", "poster", "data", "action"):
                # The one file beside the page that it asks for says who made it.
                known = r"data:image/(png|jpeg|webp);base64,|#|made\.js$"
                assert re.match(known, value or ""), (tag, name, value)
    # Style sheets and style attributes fetch by url() and @import; only references within the page are there.
    assert set(re.findall(r"url\((.)", full[1])) == {"#"}
    assert "@import" not in full[1]
    assert len(full[1].encode()) < 5_000_000


def test_the_verdict_comes_first_then_four_numbers_and_the_pictures(full: tuple[str, str]) -> None:
    markdown, html = full
    page = Page(html)
    assert page.of("h2") == list(HEADINGS)
    assert markdown.startswith("# ✓ Corrected: A small run\n\n**The base model draws 80.0% of the target images wrong")
    assert page.of("strong")[:4] == ["80.0%", "20.0%", "-60.0 points", "+1.0 points"]
    assert html.index("-60.0 points") < html.index("<img") < html.index("What was required")
    headings = re.findall(r"^## (.*)$", markdown, flags=re.MULTILINE)
    assert headings == list(HEADINGS[2:])


def test_every_picture_says_what_it_shows(full: tuple[str, str]) -> None:
    page = Page(full[1])
    alts = [attributes.get("alt") or "" for tag, attributes in page.tags if tag == "img"]
    # Three pairs of the target prompt, two images each.
    assert all(alt.startswith(("base image", "tuned image")) for alt in alts[:6])
    assert alts[0] == "base image of 'lying on the grass', seed 0: extra arm"
    assert alts[3] == "tuned image of 'lying on the grass', seed 1: no anomaly"
    assert all(alts[:-2]) and alts[-2:] == ["", ""]  # The viewer's two, which its script fills.
    charts = [attributes for _, attributes in page.tags if attributes.get("role") == "img"]
    assert [(chart["aria-label"] or "")[:13] for chart in charts] == [
        "Wrong images ",
        "Training loss",
        "Validation lo",
        "Anomaly rate ",
        "Training loss",
    ]


def test_anomalous_images_are_marked_by_frame_and_symbol(reports: tuple[str, str]) -> None:
    page = Page(reports[1])
    images = [
        attributes["class"]
        for tag, attributes in page.tags
        if tag == "span" and "image" in (attributes.get("class") or "")
    ]
    # Of the first three seeds of the target prompt, all three base images and one tuned image have a planted anomaly;
    # the pair that is still wrong is shown again among the examples.
    assert images.count("image anomalous") == 6
    # The paper's Figures 3 and 4 show two of them again.
    stills = [attributes.get("class") for tag, attributes in page.tags if tag == "figure"]
    assert stills.count("still anomalous") == 2
    assert page.of("span").count("✗") == 8


def test_ids_are_unique(full: tuple[str, str]) -> None:
    ids = [attributes["id"] for _, attributes in Page(full[1]).tags if "id" in attributes]
    assert len(ids) == len(set(ids)) > 0


def test_the_same_inputs_give_the_same_bytes(full: tuple[str, str], complete: ReportInputs) -> None:
    shuffled = replace(complete, samples_tuned=complete.samples_tuned[::-1], images_base=complete.images_base[::-1])
    assert render_report(shuffled) == full


def test_parts_that_did_not_run_are_named_in_one_line(reports: tuple[str, str], inputs: ReportInputs) -> None:
    for report in reports:
        assert (
            report.count("Not part of this run: people's labels, a survey, judges.".replace("'", "&#39;"))
            + (report.count("Not part of this run: people's labels, a survey, judges."))
            == 1
        )
    bare = replace(inputs, train=None, train_loss=None, collect=None, curate=None, parameters={}, picture=None)
    markdown, html = render_report(bare)
    assert "No training curve was recorded." in html and "not recorded" in html
    assert "![" not in markdown


def test_nulls_are_written_with_their_reason(inputs: ReportInputs) -> None:
    judge = {"provider": "x", "model": "y", "pairs": 0, "unparsed": 8, "reason": "no pair has an answer"}
    judge |= dict.fromkeys(("win_rate_tuned", "ci_low", "ci_high", "first_position_rate", "consistency"))
    for report in render_report(replace(inputs, judge={"x": judge, "provenance": {}})):
        assert "n/a (no pair has an answer)" in report
        assert "n/a (80 images are fewer than 1280 features)" in report
        found = re.search(r".{0,40}\b(None|nan|NaN)\b", re.sub(r"base64,[^\"]*", "", report))
        assert not found, found


@pytest.mark.parametrize(
    ("verdict", "words"), [("not_corrected", "✗ Not corrected"), ("inconclusive", "? Inconclusive")]
)
def test_other_verdicts(inputs: ReportInputs, verdict: str, words: str) -> None:
    clauses = {"held_out": {"passed": None, "figure": None, "threshold": 0.05, "reason": "Too few seeds."}}
    content: dict[str, Any] = {"verdict": verdict, "reasons": ["Too few seeds."], "scope": [], "clauses": clauses}
    markdown, html = render_report(replace(inputs, verdict=content))
    assert words in Page(html).of("span") and "It is not settled whether the share of wrong images" in html
    assert markdown.startswith(f"# {words}")
    assert "| ? not settled | n/a (Too few seeds) |  | below +5.0 points |" in markdown


def test_a_quick_run_is_called_that_wherever_its_verdict_is(inputs: ReportInputs) -> None:
    for report in render_report(replace(inputs, verdict={**inputs.verdict, "exploratory": True})):
        assert "A quick run of few images and steps proves nothing" in report and "draws 80.0%" not in report
    for report in render_report(inputs):
        assert "quick run" not in report


def test_markup_in_a_prompt_stays_text(inputs: ReportInputs) -> None:
    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(prompt=table["prompt"].replace({"lying on the grass": NASTY}))

    tables = ("samples_base", "samples_tuned", "images_base", "images_tuned")
    nasty = {name: renamed(getattr(inputs, name)) for name in tables}
    parameters = {"prompts": {"target": [NASTY]}}
    markdown, html = render_report(replace(inputs, title=NASTY, parameters=parameters, **nasty))
    page = Page(html)
    # The page's own three scripts: the list of pairs, the viewer, and who made it.
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert NASTY in page.of("option") and "<script>alert" not in html
    assert "<script" not in markdown and "@team" not in markdown and "**grass**" not in markdown
    for line in markdown.splitlines():
        if line.startswith("| lying"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5


def test_markdown_escapes_keep_keys_readable() -> None:
    assert escape_markdown("train.learning_rate") == "train.learning_rate"
    assert escape_markdown("_a_ *b* | c\nd") == r"\_a\_ \*b\* \| c d"


def test_a_comment_fits_on_github(reports: tuple[str, str]) -> None:
    assert len(reports[0]) < 65_536
