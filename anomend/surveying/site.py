"""The survey's static folder, and the key that unblinds its names.

    survey/index.html, *.css, *.js, jspsych/       the page, the same in every survey
    survey/texts.js                                what participants read, in all languages
    survey/images/<blind name>.jpg
    survey/plans/<participant code>.js             everything that this participant sees

The key stays outside the folder: the folder alone does not tell which model drew which image.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomend.project.files import sha256_of
from anomend.surveying.design import SurveyPair, Trial, trials_of
from anomend.surveying.images import Image, blind_name, damaged, pair_name, save_image
from anomend.surveying.key import KeyTrial, SurveyKey
from anomend.surveying.texts import Texts

SHARED_PAGE = Path(__file__).with_name("page")
"""What the survey's and the labels' page share."""
SURVEY_PAGE = Path(__file__).with_name("survey_page")
READS = ("page/*", "page/jspsych/*", "survey_page/*")
"""Files that this module reads: a change of them is a change of its code."""


@dataclass(frozen=True)
class SurveyImage:
    """An image with its prompt and seed; pixels are RGB, shape (H, W, 3)."""

    prompt: str
    seed: int
    pixels: Image


def build_site(
    folder: Path,
    *,
    pairs: Sequence[tuple[SurveyImage, SurveyImage]],
    whole: Sequence[SurveyImage],
    texts: Sequence[Texts],
    participants: int,
    repeats: int,
    seed: int,
    min_screen_width: int = 0,
) -> SurveyKey:
    """Write the folder and return its key; the same arguments give the same bytes.

    Args:
        folder: where the site is written; what is in it is replaced.
        pairs: (base, tuned) images of the real pairs.
        whole: images for the catch pairs, each shown next to a damaged copy of itself.
        texts: of every language of the page; the first one is shown where the browser asks for none of them.
        participants: number of plans to make.
        repeats: number of pairs that every participant sees twice.
        seed: seed of orders, sides, names and codes.
        min_screen_width: least width of the window, pixels of the page.

    Raises:
        ValueError: more repeats than half of the pairs.
    """
    images: dict[str, Image] = {}

    def blind(name: str, base: SurveyImage, tuned: SurveyImage) -> SurveyPair:
        image_base, image_tuned = blind_name(base.pixels, seed), blind_name(tuned.pixels, seed)
        images[image_base], images[image_tuned] = base.pixels, tuned.pixels
        return SurveyPair(
            name=name, prompt=tuned.prompt, seed=tuned.seed, image_base=image_base, image_tuned=image_tuned
        )

    real = [
        blind(pair_name(base.prompt, base.seed, base=base.pixels, tuned=tuned.pixels), base, tuned)
        for base, tuned in pairs
    ]
    catches = []
    for image in whole:
        broken = SurveyImage(image.prompt, image.seed, damaged(image.pixels, seed))
        name = "catch-" + pair_name(image.prompt, image.seed, base=broken.pixels, tuned=image.pixels)
        catches.append(blind(name, broken, image))
    plans = [
        trials_of(number, pairs=real, catches=catches, repeats=repeats, seed=seed) for number in range(participants)
    ]
    # The number of participants is not part of it, so that more can be invited to a survey that has begun.
    versions = [(text.version, text.consent_version, text.content["page"]["title"]) for text in texts]
    survey = digest_of([pair.name for pair in real + catches], versions, repeats, seed)[:16]
    codes = [code_of(survey, seed, number) for number in range(participants)]

    copy_page(folder, SURVEY_PAGE)
    for pixels in images.values():
        save_image(folder / "images", pixels, seed)
    contents = {"pageTexts": {text.language: text.content for text in texts}}
    write_script(folder / "texts.js", contents | {"pageSettings": {"min_screen_width": min_screen_width}})
    for code, trials in zip(codes, plans, strict=True):
        plan = {"survey": survey, "participant": code, "trials": [_shown(trial) for trial in trials]}
        write_script(folder / "plans" / f"{code}.js", {"surveyPlan": plan})
    return SurveyKey(
        survey=survey,
        texts={text.language: text.version for text in texts},
        consents={text.language: text.consent_version for text in texts},
        participants={code: tuple(map(_keyed, trials)) for code, trials in zip(codes, plans, strict=True)},
    )


def copy_page(folder: Path, page: Path) -> None:
    """Put a page and what both pages share into a folder, with empty folders for images and plans."""
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(SHARED_PAGE, folder)
    shutil.copytree(page, folder, dirs_exist_ok=True)
    for name in ("images", "plans"):
        (folder / name).mkdir()


def write_script(path: Path, variables: Mapping[str, Any]) -> None:
    """Write what a page reads: a script that sets variables of the window."""
    lines = [f"window.{name} = {json.dumps(content, indent=1)};\n" for name, content in variables.items()]
    path.write_text("".join(lines), encoding="utf-8")


def _shown(trial: Trial) -> dict[str, str]:
    """What a participant's browser knows about a trial."""
    return {"prompt": trial.pair.prompt, "left": trial.left, "right": trial.right}


def _keyed(trial: Trial) -> KeyTrial:
    pair = trial.pair
    return KeyTrial(pair=pair.name, prompt=pair.prompt, seed=pair.seed, left_model=trial.left_model, kind=trial.kind)


def code_of(survey: str, seed: int, number: int) -> str:
    """A participant's or rater's code: 13 letters and digits that are easy to tell apart (no 0, 1, 8, 9)."""
    digest = bytes.fromhex(sha256_of(f"{survey} {seed} {number}"))
    return base64.b32encode(digest).decode().lower()[:13]


def digest_of(*parts: object) -> str:
    """SHA-256 of anything that JSON can hold."""
    return sha256_of(json.dumps(parts, sort_keys=True))
