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
from anomend.surveying.responses import no_responses
from anomend.surveying.tally import tally

VOID = {"meta", "img", "br", "input"}
HEADINGS = (
    "Why this verdict",
    "Base and tuned images at the same seeds",
    "Anomaly rates",
    "All measures",
    "Training",
    "Training images",
    "Judges",
    "People's labels",
    "Survey",
    "Agreement",
    "The paper's tables and figures",
    "Costs",
    "Reproduce this run",
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
        assert tag not in ("script", "link", "iframe", "object", "base")
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "srcset", "href", "xlink:href", "poster", "data", "action"):
                assert re.match(r"data:image/(png|jpeg);base64,|#", value or ""), (tag, name, value)
    # Style sheets and style attributes fetch by url() and @import; only references within the page are there.
    assert set(re.findall(r"url\((.)", full[1])) == {"#"}
    assert "@import" not in full[1]
    assert len(full[1].encode()) < 5_000_000


def test_the_verdict_comes_first_then_seven_answers_then_what_decided(
    full: tuple[str, str], complete: ReportInputs
) -> None:
    markdown, html = full
    page = Page(html)
    assert page.of("h2") == ["Verdict: ✓ Corrected", *HEADINGS]
    assert markdown.startswith("# ✓ Corrected: A small run\n\nProfile mini: images by the base model mini, the mini")
    assert markdown.splitlines()[4] == "| Question | Answer |"
    assert re.findall(r"^## (.*)$", markdown, flags=re.MULTILINE) == list(HEADINGS)
    questions = page.of("dt")[:7]
    assert questions[0] == "Is it corrected?" and all(text.endswith("?") for text in questions)
    assert all(f"| **{text}** |" in markdown for text in questions)
    for reason in complete.verdict["reasons"]:
        assert reason in page.of("li") and f"- {reason}" in markdown
    assert html.index("Is it corrected?") < html.index("Why this verdict") < html.index("<img")


def test_links_within_the_page_lead_somewhere(full: tuple[str, str]) -> None:
    tags = Page(full[1]).tags
    ids = {attributes["id"] for _, attributes in tags if "id" in attributes}
    links = [attributes["href"] or "" for tag, attributes in tags if tag == "a"]
    assert len(links) == 7 + len(HEADINGS)
    assert {link.removeprefix("#") for link in links} <= ids


def test_every_picture_says_what_it_shows(full: tuple[str, str]) -> None:
    page = Page(full[1])
    alts = [attributes.get("alt") or "" for tag, attributes in page.tags if tag == "img"]
    # Two prompts, three pairs each, two images per pair.
    assert all(alt.startswith(("base image", "tuned image")) for alt in alts[:12])
    assert alts[0] == "base image of 'lying on the grass', seed 0: extra arm"
    assert alts[3] == "tuned image of 'lying on the grass', seed 1: no anomaly"
    assert all(alts)
    charts = [attributes for _, attributes in page.tags if attributes.get("role") == "img"]
    assert [(chart["aria-label"] or "")[:13] for chart in charts] == [
        "Anomaly rates",
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
        if tag == "div" and "image" in (attributes.get("class") or "")
    ]
    # Of the first three seeds of the target prompt, all three base images and one tuned image have a planted anomaly.
    assert images.count("image anomalous") == 4
    # The paper's Figures 3 and 4 show two of them again.
    stills = [attributes.get("class") for tag, attributes in page.tags if tag == "figure"]
    assert stills.count("still anomalous") == 2
    assert page.of("span") == ["✗"] * 6


def test_ids_are_unique(full: tuple[str, str]) -> None:
    ids = [attributes["id"] for _, attributes in Page(full[1]).tags if "id" in attributes]
    assert len(ids) == len(set(ids)) > 0


def test_the_same_inputs_give_the_same_bytes(full: tuple[str, str], complete: ReportInputs) -> None:
    shuffled = replace(complete, samples_tuned=complete.samples_tuned[::-1], images_base=complete.images_base[::-1])
    assert render_report(shuffled) == full


def test_parts_that_did_not_run_are_named(reports: tuple[str, str], inputs: ReportInputs) -> None:
    assert [report.count("Not part of this run.") for report in reports] == [7, 7]
    bare = replace(inputs, train=None, train_loss=None, collect=None, curate=None, parameters={}, picture=None)
    markdown, html = render_report(bare)
    assert "No training curve was recorded." in html and "not recorded" in html
    assert "![" not in markdown


def test_nulls_are_written_with_their_reason(inputs: ReportInputs) -> None:
    survey = tally(no_responses(), seed=0)
    judge = {"provider": "x", "model": "y", "pairs": 0, "unparsed": 8, "reason": "no pair has an answer"}
    judge |= dict.fromkeys(("win_rate_tuned", "ci_low", "ci_high", "first_position_rate", "consistency"))
    for report in render_report(replace(inputs, survey=survey, judge={"x": judge, "provenance": {}})):
        assert "n/a (no responses yet" in report
        assert "n/a (no pair has an answer)" in report
        assert "n/a (80 images are fewer than 1280 features)" in report
        assert not re.search(r"\b(None|nan|NaN)\b", report)


@pytest.mark.parametrize(
    ("verdict", "words"), [("not_corrected", "✗ Not corrected"), ("inconclusive", "? Inconclusive")]
)
def test_other_verdicts(inputs: ReportInputs, verdict: str, words: str) -> None:
    clauses = {"held_out": {"passed": None, "figure": None, "threshold": 0.05, "reason": "Too few seeds."}}
    content: dict[str, Any] = {"verdict": verdict, "reasons": ["Too few seeds."], "scope": [], "clauses": clauses}
    markdown, html = render_report(replace(inputs, verdict=content))
    assert Page(html).of("h2")[0] == f"Verdict: {words}"
    assert markdown.startswith(f"# {words}")
    assert "| ? unsettled | n/a (Too few seeds) |  | below +5.0 points |" in markdown


def test_a_quick_run_is_called_that_wherever_its_verdict_is(inputs: ReportInputs) -> None:
    outcome = inputs.verdict["verdict"]
    for report in render_report(replace(inputs, verdict={**inputs.verdict, "exploratory": True})):
        assert report.count("(a quick run, which proves nothing)") >= 1
        assert "A quick run cannot tell" in report and "Yes: each of the" not in report
    assert outcome == "corrected"
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
    assert "script" not in {tag for tag, _ in page.tags}
    assert NASTY in page.of("h3")
    assert "<script" not in markdown and "@team" not in markdown and "**grass**" not in markdown
    for line in markdown.splitlines():
        if line.startswith("| lying"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5


def test_markdown_escapes_keep_keys_readable() -> None:
    assert escape_markdown("train.learning_rate") == "train.learning_rate"
    assert escape_markdown("_a_ *b* | c\nd") == r"\_a\_ \*b\* \| c d"


def test_a_comment_fits_on_github(reports: tuple[str, str]) -> None:
    assert len(reports[0]) < 65_536
