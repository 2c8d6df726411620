"""The static folder: what it shows, and what it keeps to itself."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anomend.surveying.key import read_key, write_key
from tests.surveying.conftest import MARKUP, TEXTS, Survey, build, picture

PAGE_FILES = {
    *(
        "index.html",
        "style.css",
        "survey.css",
        "texts.js",
        "dom.js",
        "language.js",
        "answers.js",
        "code.js",
        "course.js",
    ),
    *("viewer.js", "pair_choice.js", "entry.js", "survey.js"),
}


def plan_of(survey: Survey, code: str) -> dict:
    text = (survey.site / "plans" / f"{code}.js").read_text()
    return json.loads(text.removeprefix("window.surveyPlan = ").removesuffix(";\n"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_key_says_whose_image_each_blind_name_is(survey: Survey) -> None:
    drawn = {
        (model, seed): picture("", seed, model).pixels.astype(int) for model in ("base", "tuned") for seed in range(6)
    }
    for code, trials in survey.key.participants.items():
        plan = plan_of(survey, code)
        assert (plan["survey"], plan["participant"], len(plan["trials"])) == (survey.key.survey, code, len(trials))
        for shown, keyed in zip(plan["trials"], trials, strict=True):
            if keyed.kind == "catch":
                continue
            other = "base" if keyed.left_model == "tuned" else "tuned"
            for side, model in (("left", keyed.left_model), ("right", other)):
                # JPEG changes pixels by little: the nearest drawing is the one that is shown, at native size.
                pixels = np.asarray(Image.open(survey.site / "images" / shown[side]), dtype=int)
                distances = {
                    (drawer, seed): float(np.abs(pixels - image).mean()) for (drawer, seed), image in drawn.items()
                }
                nearest = min(distances, key=lambda drawing: distances[drawing])
                assert nearest == (model, keyed.seed) and distances[nearest] < 3
            assert shown["prompt"] == keyed.prompt == (MARKUP if keyed.seed == 5 else "lying on the street")


def test_nothing_in_the_folder_tells_whose_image_is_whose(survey: Survey) -> None:
    for name, content in contents(survey.site).items():
        if name.startswith("images/"):
            # Nothing but the pixels: no text, no time, no software.
            with Image.open(survey.site / name) as image:
                assert image.format == "JPEG" and not image.getexif() and "comment" not in image.info
            assert b"Adobe" not in content and Path(name).suffix == ".jpg"
            assert len(Path(name).stem) == 20 and set(Path(name).stem) <= set("0123456789abcdef")
        elif name.startswith("plans/"):
            assert not any(word in content.lower() for word in (b"tuned", b"base", b"catch", b"repeat", b"real"))
        else:
            assert name in PAGE_FILES or name.startswith("jspsych/")
    assert "tuned" not in " ".join(contents(survey.site))


def test_the_page_requests_nothing_elsewhere_and_jspsych_is_the_published_file(survey: Survey) -> None:
    for name in sorted(PAGE_FILES - {"texts.js"}):
        text = (survey.site / name).read_text()
        assert "//" not in text.replace("// ", "") and "innerHTML" not in text and "eval(" not in text
    library = (survey.site / "jspsych" / "index.browser.min.js").read_bytes()
    # dist/index.browser.min.js of jspsych-8.3.0.tgz from registry.npmjs.org.
    assert hashlib.sha256(library).hexdigest() == "b58c69e607f2ddbd282f2daec43d882cac18d9e3efdad816215b818d1406d6ce"
    assert "MIT License" in (survey.site / "jspsych" / "LICENSE").read_text()


def test_built_twice_it_is_the_same_and_more_may_be_invited_later(tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
    first, second, third = (
        build(tmp_path / name, number) for name, number in (("first", 4), ("second", 4), ("third", 6))
    )
    assert contents(first.site) == contents(second.site) and first.key == second.key
    assert contents(first.site).items() <= contents(third.site).items()
    assert third.key.survey == first.key.survey and first.key.participants.items() <= third.key.participants.items()


def test_codes_are_typed_without_mistaking_letters(survey: Survey) -> None:
    codes = set(survey.key.participants)
    assert len(codes) == 4 and all(len(code) == 13 and not set(code) & set("0189") for code in codes)


def test_texts_reach_the_page_as_they_stand(survey: Survey) -> None:
    read = texts_on_page(survey)["en"]
    assert read["asked"]["question"] == TEXTS.question and read["page"]["title"] == TEXTS.title
    assert "\n\n".join(read["page"]["consent"]) == TEXTS.consent
    assert read["consent_version"] == survey.key.consents["en"]


def texts_on_page(survey: Survey) -> dict[str, Any]:
    line = (survey.site / "texts.js").read_text().partition(";\nwindow.pageSettings")[0]
    return json.loads(line.removeprefix("window.pageTexts = "))


def test_another_question_or_consent_is_another_survey_with_other_versions(tmp_path: Path) -> None:
    changed = {
        "same": TEXTS,
        "question": replace(TEXTS, question="Which picture do you like less?"),
        "consent": replace(TEXTS, consent="You will see pairs of pictures."),
        "title": replace(TEXTS, title="Pictures"),
    }
    keys = {}
    for name, own in changed.items():
        (tmp_path / name).mkdir()
        keys[name] = build(tmp_path / name, 2, own=own).key
    assert len({key.survey for key in keys.values()}) == 4
    assert not set(keys["same"].participants) & set(keys["question"].participants)
    assert len({key.texts["en"] for key in keys.values()}) == 2  # Only the question decides an answer.
    assert keys["same"].texts["en"] != keys["question"].texts["en"]
    assert len({key.consents["en"] for key in keys.values()}) == 2


def test_the_key_comes_back_from_its_file(survey: Survey, tmp_path: Path) -> None:
    write_key(tmp_path / "key.json", survey.key)
    assert read_key(tmp_path / "key.json") == survey.key
