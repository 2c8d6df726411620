"""A small survey as it is built, and its server as it is run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from anomend.miniature.drawn_people import render, sample_scene
from anomend.project.seeding import python_random
from anomend.surveying.desks import Desk, SurveyDesk
from anomend.surveying.key import SurveyKey
from anomend.surveying.server import make_app
from anomend.surveying.site import SurveyImage, Texts, build_site

MARKUP = "lying on the <img src=x onerror=\"document.title='injected'\"><b>grass</b> & street"
TEXTS = Texts(
    title="Which picture looks more natural?",
    question="Which picture looks more natural?",
    consent="You will see pairs of pictures.\n\nYour choices are kept. <script>document.title='injected'</script>",
)


def picture(prompt: str, seed: int, drawing: str) -> SurveyImage:
    rng = python_random(seed, drawing)
    return SurveyImage(prompt, seed, render(sample_scene(rng, "lying", "grass"), rng))


@dataclass(frozen=True)
class Survey:
    """A built survey: its folder, its key, and an empty folder for results."""

    site: Path
    key: SurveyKey
    results: Path

    @property
    def desk(self) -> SurveyDesk:
        return SurveyDesk(self.key, self.results)


class Site(Protocol):
    """What can be served."""

    @property
    def site(self) -> Path: ...
    @property
    def desk(self) -> Desk: ...


def build(folder: Path, participants: int, pairs: int = 6, repeats: int = 2, catches: int = 2) -> Survey:
    prompts = ["lying on the street"] * (pairs - 1) + [MARKUP]
    both = [(picture(prompt, seed, "base"), picture(prompt, seed, "tuned")) for seed, prompt in enumerate(prompts)]
    whole = [picture("standing on the beach", 100 + number, "whole") for number in range(catches)]
    site = folder / "survey"
    key = build_site(site, pairs=both, whole=whole, texts=TEXTS, participants=participants, repeats=repeats, seed=5)
    results = folder / "results"
    results.mkdir()
    return Survey(site, key, results)


def answers_of(survey: Survey, code: str, choice: str = "left", reaction_ms: int = 1500) -> dict[str, Any]:
    """A whole and valid submission with one choice throughout."""
    trials = range(len(survey.key.participants[code]))
    answers = [{"trial": trial, "choice": choice, "reaction_ms": reaction_ms + trial} for trial in trials]
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
