"""People decide, as a user goes: pictures of 1,024 px, no detector, three raters on the page, and then the verdict.

The pictures and which of them are wrong are made here, so the verdict is known before anybody looks.
"""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from anomend.labelling.records import read_labels
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.project.files import sha256_of
from anomend.surveying.key import LabelKey, read_key
from tests.clones import SHRUNK, environment, run, set_params

pytestmark = pytest.mark.slow

SIDE = 1024
PROMPTS = {"target": ["lying on the grass", "lying on the street"], "held_out": SHRUNK["prompts"]["held_out"]}
SEEDS = {"target": 14, "held_out": 10}
FIRST = 20000
ERRORS = (0.05, 0.1, 0.15)
WRONG = {"base": {"target": 0.8, "held_out": 0.0}, "good": {"target": 0.0, "held_out": 0.0}}
WRONG["bad"] = {"target": 0.8, "held_out": 0.0}
"""Share of wrong pictures, by who drew them."""
CHANGES: dict[str, dict[str, Any]] = {
    "sample": {"target_seeds_per_prompt": SEEDS["target"], "held_out_seeds_per_prompt": SEEDS["held_out"]},
    "measure": {"detector": "none"},
    "judge": {"judges": []},
    "label": {
        "pairs_per_prompt": SEEDS["target"],
        "held_out_pairs_per_prompt": SEEDS["held_out"],
        "raters": len(ERRORS),
        "raters_per_picture": len(ERRORS),
        "repeats": 0,
        "min_median_ms": 0,
    },
    # Few pictures show only large effects.
    "verdict": {
        "evidence": "people",
        "max_target_rate": 0.3,
        "worst_target_margin": 0.3,
        "held_out_margin": 0.4,
        "worst_held_out_rise": 0.5,
        "max_kind_rise": 0.5,
        "min_diversity_ratio": 0.3,
        "max_copy_rate": 0.6,
    },
}


@dataclass(frozen=True)
class Rater:
    """Somebody with a link, who errs on a share of the pictures."""

    link: str
    wrong: list[bool]
    """What they say of their pictures, in the order in which the page shows them."""

    @property
    def code(self) -> str:
        return self.link.rpartition("#")[2]


@pytest.fixture
def project(reproduced_copy: Callable[[Path], Path], tmp_path: Path) -> Path:
    """A project whose samples are planted: DVC takes them for what the frozen stages made."""
    folder = reproduced_copy(tmp_path / "project")
    set_params(folder, CHANGES)
    run(folder, "dvc", "freeze", "sample_base", "sample_tuned")
    return folder


def plant(folder: Path, model: str, drawn_by: str) -> dict[str, bool]:
    """Write one model's pictures; which of them are wrong, by SHA-256."""
    writer = ImageFolderWriter(folder / "data/samples" / model)
    wrong: dict[str, bool] = {}
    for group, prompts in PROMPTS.items():
        for prompt in prompts:
            share = WRONG[drawn_by][group]
            for number in range(SEEDS[group]):
                name = f"{prompt.replace(' ', '_')}-{FIRST + number}.png"
                about = {"text": prompt, "prompt": prompt, "seed": FIRST + number, "group": group, "source": model}
                writer.add(name, picture(f"{drawn_by} {prompt} {number}"), **about, model="planted", device="cpu")
                wrong[writer.rows[-1]["sha256"]] = number < round(share * SEEDS[group])
    writer.close()
    metrics = folder / "metrics" / f"sample_{model}.json"
    content = json.loads(metrics.read_text())
    content |= {"images": len(wrong), "samples_sha256": sha256_of(folder / "data/samples" / model / "metadata.jsonl")}
    metrics.write_text(json.dumps(content))
    run(folder, "dvc", "commit", "-f", f"sample_{model}")
    return wrong


def picture(name: str) -> np.ndarray:
    """A person of sticks somewhere on a ground, different for each name."""
    rng = random.Random(name)
    image = Image.new("RGB", (SIDE, SIDE), tuple(rng.randrange(60, 200) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    x, y = (rng.randrange(300, 700) for _ in range(2))
    for _ in range(5):
        draw.line((x, y, x + rng.randrange(-250, 250), y + rng.randrange(-250, 250)), fill="black", width=40)
    draw.ellipse((x - 60, y - 60, x + 60, y + 60), fill="orange")
    return np.asarray(image)


@contextmanager
def served(folder: Path) -> Iterator[list[str]]:
    """`make label`: a link per rater; stopped in the end, it brings the labels into the folder that git keeps."""
    command = ["python", "-u", "-m", "commands.survey_server", "--labels", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        links = []
        for line in server.stdout:
            links += re.findall(r"http://\S+/#\w+", line)
            if "Ctrl+C" in line:
                break
        try:
            yield links
        finally:
            server.send_signal(signal.SIGINT)
            assert "raters' labels are in" in server.communicate(timeout=60)[0]


def label_on_the_page(browser: Browser, raters: list[Rater]) -> None:
    """The raters look at every picture; they work side by side, so that their waits overlap."""
    pages = [browser.new_context(locale="en").new_page() for _ in raters]
    for page, rater in zip(pages, raters, strict=True):
        page.goto(rater.link)
        page.locator(".welcome .primary").click()
    for place in range(max(len(rater.wrong) for rater in raters)):
        for page, rater in zip(pages, raters, strict=True):
            if place < len(rater.wrong):
                answer(page, rater.wrong[place])
    for page in pages:
        expect(page.locator("h1")).to_have_text("Thank you")
        page.context.close()


def answer(page: Page, wrong: bool) -> None:
    """One answer to the picture that is shown, and, where something is wrong, a click on the place."""
    if wrong:
        page.locator(".answers button[value=wrong]").click()
        page.locator("button[value=extra_limb]").click()
        page.locator(".layer img").click(position={"x": 40, "y": 40})
        page.locator(".done").click()
    else:
        page.locator(".answers button[value=nothing]").click()


def decide(folder: Path, browser: Browser, wrong: dict[str, bool]) -> dict[str, Any]:
    """Draw the design, let the raters label, and reach the verdict: the content of metrics/verdict.json."""
    run(folder, "dvc", "repro", "label")
    key = read_key(folder / "data/label_key.json", LabelKey)
    raters = []
    with served(folder) as links:
        for link, error in zip(links, ERRORS, strict=True):
            code = link.rpartition("#")[2]
            chance = random.Random(code)
            raters.append(Rater(link, [wrong[one.picture] != (chance.random() < error) for one in key.raters[code]]))
        label_on_the_page(browser, raters)
    kept = read_labels(folder / "data/labels").set_index(["rater", "picture"])["answer"]
    for rater in raters:
        answers = [kept[rater.code, one.picture] for one in key.raters[rater.code]]
        assert answers == ["wrong" if wrong else "nothing" for wrong in rater.wrong]
    run(folder, "dvc", "repro", "verdict")
    content: dict[str, Any] = json.loads((folder / "metrics/verdict.json").read_text())
    return content


def test_what_raters_see_on_the_page_decides(project: Path, browser: Browser) -> None:
    base = plant(project, "base", "base")
    good = decide(project, browser, base | plant(project, "tuned", "good"))
    people = json.loads((project / "metrics/people.json").read_text())["anomaly_rate_target"]
    assert good["evidence"] == "people" and good["verdict"] == "corrected", good["reasons"]
    # 11 of 14 pictures of each prompt were planted wrong, and none of the tuned model's.
    assert people["tuned_ci_low"] <= 0.0 <= people["tuned_ci_high"] <= 0.3
    assert people["ci_low"] <= -11 / 14 <= people["ci_high"] < -0.3

    bad = decide(project, browser, base | plant(project, "tuned", "bad"))
    people = json.loads((project / "metrics/people.json").read_text())["anomaly_rate_target"]
    assert bad["verdict"] == "not_corrected" and bad["clauses"]["target_drop"]["passed"] is False
    assert people["tuned_ci_low"] <= 11 / 14 <= people["tuned_ci_high"]
