"""A small survey as it is built, and its server as it is run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page

from anomend.miniature.drawn_people import render, sample_scene
from anomend.params.survey import RecruitingParams
from anomend.project.seeding import python_random
from anomend.surveying.desks import Desk
from anomend.surveying.journals import import_journals, journal_rows
from anomend.surveying.key import SurveyKey
from anomend.surveying.server import make_app
from anomend.surveying.site import SurveyImage, build_site
from anomend.surveying.survey_answers import response_table
from anomend.surveying.survey_desk import SurveyDesk
from anomend.surveying.texts import OwnTexts, survey_texts

MARKUP = "lying on the <img src=x onerror=\"document.title='injected'\"><b>grass</b> & street"
TEXTS = OwnTexts(
    title="Which picture looks more natural?",
    question="Which picture looks more natural?",
    consent="You will see pairs of pictures.\n\nYour choices are kept. <script>document.title='injected'</script>",
)
SECRET = b"a key that no other project has"
ENDS = {
    "finished": {"code": "DONE1", "url": None},
    "full": {"code": "FULL1", "url": None},
    "screened_out": {"code": "SMALL1", "url": None},
}


def recruiting(**changes: Any) -> RecruitingParams:
    values: dict[str, Any] = {
        "participant_ids": ["PROLIFIC_PID", "workerId"],
        "session_ids": ["STUDY_ID", "SESSION_ID", "assignmentId"],
        "quota": None,
        "idle_minutes": 90,
        **ENDS,
    }
    return RecruitingParams.model_validate(values | changes)


def picture(prompt: str, seed: int, drawing: str, size: int | None = None, grain: float = 0) -> SurveyImage:
    """A drawn person; scaled up to `size`, with as much grain as a photograph's, if asked for."""
    rng = python_random(seed, drawing)
    pixels = render(sample_scene(rng, "lying", "grass"), rng)
    if size:
        scaled = Image.fromarray(pixels).resize((size, size), Image.Resampling.NEAREST)
        noise = np.random.default_rng(seed).normal(0, grain, (size, size, 3))
        pixels = np.clip(np.asarray(scaled) + noise.round(), 0, 255).astype(np.uint8)
    return SurveyImage(prompt, seed, pixels)


@dataclass(frozen=True)
class Survey:
    """A built survey: its folder, its key, and empty folders for what is sent and for what git keeps."""

    site: Path
    key: SurveyKey
    results: Path
    recruiting: RecruitingParams

    @property
    def desk(self) -> SurveyDesk:
        return SurveyDesk(
            self.key,
            self.journals,
            folder=self.results,
            recruiting=self.recruiting,
            entries=self.entries,
            secret=SECRET,
        )

    @property
    def journals(self) -> Path:
        return self.site.parent / "journals"

    @property
    def entries(self) -> Path:
        return self.site.parent / "entries.jsonl"

    def rows(self, code: str) -> list[dict[str, Any]]:
        """What was stored of a participant."""
        return journal_rows(self.journals / f"{code}.jsonl")

    def imported(self) -> list[Path]:
        return import_journals(self.journals, self.results, response_table)


class Site(Protocol):
    """What can be served."""

    @property
    def site(self) -> Path: ...
    @property
    def desk(self) -> Desk: ...


def build(
    folder: Path,
    participants: int,
    pairs: int = 6,
    repeats: int = 2,
    catches: int = 2,
    *,
    size: int | None = None,
    grain: float = 0,
    own: OwnTexts = TEXTS,
    languages: tuple[str, ...] = ("en",),
    translations: dict[str, OwnTexts] | None = None,
    min_screen_width: int = 0,
    **platform: Any,
) -> Survey:
    prompts = ["lying on the street"] * (pairs - 1) + [MARKUP]
    both = [
        (picture(prompt, seed, "base", size, grain), picture(prompt, seed, "tuned", size, grain))
        for seed, prompt in enumerate(prompts)
    ]
    whole = [picture("standing on the beach", 100 + number, "whole", size, grain) for number in range(catches)]
    site = folder / "survey"
    key = build_site(
        site,
        pairs=both,
        whole=whole,
        texts=survey_texts(own, languages=languages, translations=translations or {}),
        participants=participants,
        repeats=repeats,
        seed=5,
        min_screen_width=min_screen_width,
    )
    results = folder / "results"
    results.mkdir()
    return Survey(site, key, results, recruiting(**platform))


def answers_of(survey: Survey, code: str, choice: str = "left", reaction_ms: int = 1500) -> dict[str, Any]:
    """All answers of a participant, with one choice throughout."""
    trials = range(len(survey.key.participants[code]))
    answers = [
        {"trial": trial, "choice": choice, "reaction_ms": reaction_ms + trial, "language": "en"} for trial in trials
    ]
    return {"survey": survey.key.survey, "participant": code, "answers": answers}


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    """Six pairs, two repeats, two catch pairs, four participants."""
    return build(tmp_path, 4)


@pytest.fixture
def serve() -> Iterator[Callable[[Site], str]]:
    """Serve a page over real HTTP on a free port of this machine; returns its address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(served: Site) -> str:
        app = make_app(served.site, served.desk)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1280 x 800 whose errors and requests are kept in `page.errors` and `page.asked`."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    assert not errors
    own = ("http://127.0.0.1:", "file://", "blob:", "data:")
    assert all(url.startswith(own) for url in asked), asked
    context.close()


def photograph(page: Page, name: str) -> None:
    """Keep a screenshot where ANOMEND_SCREENSHOTS names a folder, for inspection."""
    if folder := os.environ.get("ANOMEND_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")
