"""The static folder: what it shows, and what it keeps to itself."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from anomend.surveying.images import pixel_digest
from anomend.surveying.key import read_key, write_key
from tests.surveying.conftest import MARKUP, TEXTS, Survey, build, picture


def plan_of(survey: Survey, code: str) -> dict:
    text = (survey.site / "plans" / f"{code}.js").read_text()
    return json.loads(text.removeprefix("window.surveyPlan = ").removesuffix(";\n"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_key_says_whose_image_each_blind_name_is(survey: Survey) -> None:
    drawn = {model: {pixel_digest(picture("", seed, model).pixels) for seed in range(6)} for model in ("base", "tuned")}
    for code, trials in survey.key.participants.items():
        plan = plan_of(survey, code)
        assert (plan["survey"], plan["participant"], len(plan["trials"])) == (survey.key.survey, code, len(trials))
        for shown, keyed in zip(plan["trials"], trials, strict=True):
            if keyed.kind == "catch":
                continue
            left, right = (np.asarray(Image.open(survey.site / "images" / shown[side])) for side in ("left", "right"))
            other = "base" if keyed.left_model == "tuned" else "tuned"
            assert pixel_digest(left) in drawn[keyed.left_model] and pixel_digest(right) in drawn[other]
            assert shown["prompt"] == keyed.prompt == (MARKUP if keyed.seed == 5 else "lying on the street")


def test_nothing_in_the_folder_tells_whose_image_is_whose(survey: Survey) -> None:
    own = {"index.html", "style.css", "plugins.js", "results.js", "code.js", "survey.js"}
    for name, content in contents(survey.site).items():
        if name.startswith("images/"):
            # Nothing but the pixels: no text, no time, no software.
            kinds = [content[place + 4 : place + 8] for place in chunks(content)]
            assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}
            assert len(Path(name).stem) == 20 and set(Path(name).stem) <= set("0123456789abcdef")
        elif name.startswith("plans/"):
            assert not any(word in content.lower() for word in (b"tuned", b"base", b"catch", b"repeat", b"real"))
        else:
            assert name in own or name.startswith("jspsych/")
    assert "tuned" not in " ".join(contents(survey.site))


def chunks(png: bytes) -> list[int]:
    places, at = [], 8
    while at < len(png):
        places.append(at)
        at += 12 + int.from_bytes(png[at : at + 4], "big")
    return places


def test_the_page_requests_nothing_elsewhere_and_jspsych_is_the_published_file(survey: Survey) -> None:
    for name in ("index.html", "style.css", "plugins.js", "results.js", "survey.js"):
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
    plan = plan_of(survey, next(iter(survey.key.participants)))
    assert {name: plan[name] for name in ("title", "question", "consent")} == vars(TEXTS)


def test_the_key_comes_back_from_its_file(survey: Survey, tmp_path: Path) -> None:
    write_key(tmp_path / "key.json", survey.key)
    assert read_key(tmp_path / "key.json") == survey.key
