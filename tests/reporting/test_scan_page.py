"""The scan's page: a map that says what it shows by hover and by keyboard, and nothing from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser

from anomend.reporting.scan_page import heat_map, render_scan
from anomend.scanning.metrics import scan_metrics
from anomend.scanning.rules import Rules, Tally
from anomend.scanning.suites import Suite, SuitePrompt
from tests.reporting.test_render import Page
from tests.scanning.test_proposals import CLASSES, PLANTED, SUITE, seen

NASTY = 'lying <script>alert(1)</script> & "so" on the grass'


def metrics_of(wrong: tuple[str, ...] = PLANTED, suite: Suite = SUITE, proven: bool = True) -> dict[str, Any]:
    scan = scan_metrics(suite, seen(wrong, suite=suite), Rules(), held_out=8, siblings=2, class_prompts=CLASSES)
    provenance = {"base": "mini", "evidence": "detector", "detector": "drawn_people", "detector_proven": proven}
    return scan | {"provenance": provenance}


@pytest.fixture
def examples(tmp_path: Path) -> pd.DataFrame:
    rows = []
    for number, prompt in enumerate(SUITE.prompts):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((64, 64, 3), 20 * number, dtype=np.uint8)).save(path)
        anomalous = prompt.prompt in PLANTED
        rows.append({"prompt": prompt.prompt, "seed": number, "anomalous": anomalous, "path": path})
    return pd.DataFrame(rows)


def test_where_people_judge_the_page_says_how_and_what_waits_for_them(examples: pd.DataFrame) -> None:
    tallies = {prompt.prompt: Tally() for prompt in SUITE.prompts} | {PLANTED[0]: Tally(5, 8, 2)}
    nothing = seen(())
    waiting = {prompt: range(8) for prompt in tallies}
    scanned = replace(nothing, tallies=tallies, statuses=dict.fromkeys(tallies, "open"), waiting=waiting)
    scan = scan_metrics(SUITE, scanned, Rules(), held_out=8, siblings=2, class_prompts=CLASSES)
    people = {"base": "mini", "evidence": "people", "raters_per_picture": 2, "pictures_to_label": 96}
    html = render_scan(scan | {"provenance": people}, examples)
    assert "12 prompts wait for people&#39;s labels of 96 pictures" in html.replace("'", "&#39;")
    assert "2 per picture" in html and "nobody has labelled its pictures yet" in html and "no labels yet" in html
    (row,) = (row for row in scan["prompts"] if row["prompt"] == PLANTED[0])
    assert row["explored"] == {"k": 5, "n": 8, "unclear": 2} and row["value"] == 6 / 8 and row["waiting"]
    assert scan["images"] == 8 + 12 * 8 and scan["images_waiting"] == 96


def test_where_a_detector_helps_people_the_page_counts_what_they_did_not_see(examples: pd.DataFrame) -> None:
    labels = tuple([(1.0, True)] * 3 + [(2.0, False)])
    explored = Tally(3, 4, unseen=4, weighted=labels)
    tallies = {prompt.prompt: Tally() for prompt in SUITE.prompts} | {PLANTED[0]: explored}
    waiting = {prompt: [0, 2, 5, 6] for prompt in tallies if prompt != PLANTED[0]}
    scanned = replace(seen(()), tallies=tallies, statuses=dict.fromkeys(tallies, "open"), waiting=waiting)
    rules = Rules(images_per_label=2)
    scan = scan_metrics(SUITE, scanned, rules, held_out=8, siblings=2, class_prompts=CLASSES)
    # A round of each of 12 prompts: 8 images, of which people see 4.
    assert (scan["images"], scan["images_unseen"], scan["images_waiting"]) == (96, 48, 88)
    # The design without rounds is that of people alone: 4 labels of a prompt in a round, 64 at most.
    alone = scan_metrics(SUITE, seen(()), rules.of_labels, held_out=8, siblings=2, class_prompts=CLASSES)
    assert (rules.of_labels.seeds_per_round, rules.of_labels.most_seeds) == (4, 64)
    assert scan["images_fixed_design"] == alone["images_fixed_design"] and "images_unseen" not in alone
    assert scan["share_of_fixed_design"] == 48 / scan["images_fixed_design"]
    (row,) = (row for row in scan["prompts"] if row["prompt"] == PLANTED[0])
    assert row["explored"] == {"k": 3, "n": 4, "unseen": 4} and row["value"] == 3 / 4
    about = {"base": "mini", "evidence": "people+machine", "raters_per_picture": 2, "pictures_to_label": 44}
    html = render_scan(scan | {"provenance": about | {"detector": "photographs", "images_per_label": 2}}, examples)
    assert "The detector photographs sees all images, and helps to choose the one in 2" in html
    assert "of these not shown to people" in html and "compare it with the images that people see" in html


def test_it_is_one_page_with_every_prompt_and_each_link_leads_somewhere(examples: pd.DataFrame) -> None:
    html = render_scan(metrics_of(), examples)
    page = Page(html)
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [str(attributes["href"]) for tag, attributes in page.tags if tag == "a"]
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert not any(tag in ("script", "link") for tag, _ in page.tags)
    sources = [str(attributes["src"]) for tag, attributes in page.tags if tag == "img"]
    assert len(sources) == 12 and all(source.startswith("data:image/png") for source in sources)
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")
    assert "3 of 12 prompts are drawn wrong" in html and "not proven" not in html
    assert html == render_scan(metrics_of(), examples)


def test_the_worst_come_first_and_a_cell_says_its_rate_interval_and_images() -> None:
    scan = metrics_of()
    cells = heat_map(scan["prompts"], {row["prompt"]: "x" for row in scan["prompts"]})
    assert list(cells) == ["lying", "sitting", "standing"]
    wrong = cells["lying"]["grass"]
    assert (wrong.sign, wrong.status) == ("✗", "wrong") and wrong.rate == pytest.approx(20 / 24)
    assert wrong.detail == ("lying on the grass: 83.3% anomalous (20 of 24), 95% interval 58.1 to 96.6%; drawn wrong")
    assert cells["standing"]["beach"].sign == "✓" and cells["standing"]["beach"].rate == 0


def test_a_suite_with_gaps_and_several_prompts_in_a_cell(examples: pd.DataFrame) -> None:
    def prompt(text: str, *levels: str) -> SuitePrompt:
        return SuitePrompt(prompt=text, levels=dict(zip(("pose", "place", "view"), levels, strict=True)))

    suite = Suite(
        (
            prompt("a", "lying", "grass", "front"),
            prompt("b", "lying", "grass", "side"),
            prompt("c", "standing", "street", "side"),
        )
    )
    scan = metrics_of(("a",), suite)
    cells = heat_map(scan["prompts"], {row["prompt"]: row["prompt"] for row in scan["prompts"]})
    assert cells["standing"]["grass"].rate is None
    shared = cells["lying"]["grass"]
    assert shared.detail.startswith("2 prompts, the worst: a:") and shared.anchor == "a"
    assert shared.rate == pytest.approx(20 / 24 / 2)
    assert "<td><span>-</span></td>" in render_scan(scan, examples)


def test_texts_are_escaped_and_an_unproven_detector_is_named(examples: pd.DataFrame) -> None:
    levels = {"posture": "lying", "place": "grass"}
    suite = Suite((SuitePrompt(prompt=NASTY, levels=levels), *SUITE.prompts[:5]))
    html = render_scan(metrics_of((NASTY,), suite, proven=False), examples)
    assert "<script" not in html and "lying &lt;script&gt;" in html
    assert "The detector drawn_people is not proven to see what is wrong" in html


def test_where_nothing_was_found_it_says_so_and_proposes_nothing(examples: pd.DataFrame) -> None:
    html = render_scan(metrics_of(()), examples)
    assert "Of 12 prompts none was shown to have more than 20% anomalous images" in html
    assert "Nothing is proposed" in html


@pytest.mark.slow
def test_the_tab_key_shows_a_cells_interval_and_enter_its_pictures(
    browser: Browser, examples: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "scan.html").write_text(render_scan(metrics_of(), examples))
    requests: list[str] = []
    for width, scheme in ((1280, "light"), (360, "dark")):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.goto((tmp_path / "scan.html").as_uri())
        cell = page.locator("table.map a").first
        page.locator("nav a").last.focus()
        page.keyboard.press("Tab")
        assert cell.evaluate("cell => cell === document.activeElement")
        detail = cell.locator(".detail")
        assert detail.is_visible() and "95% interval" in detail.inner_text()
        assert cell.get_attribute("aria-label") == detail.inner_text()
        page.keyboard.press("Enter")
        assert page.evaluate("document.querySelector(':target h3').textContent") == "lying on the grass"
        page.locator("table.map a").nth(5).hover()
        assert page.locator("table.map a").nth(5).locator(".detail").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        context.close()
    assert len(requests) == 2  # The page itself, twice.
