"""The survey's static folder, and the key that unblinds its names.

    survey/index.html, style.css, *.js, jspsych/   the page, the same in every survey
    survey/images/<blind name>.png
    survey/plans/<participant code>.js             everything that this participant sees

The key stays outside the folder: the folder alone does not tell which model drew which image.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as PillowImage

from anomend.project.files import sha256_of
from anomend.surveying.design import SurveyPair, Trial, trials_of
from anomend.surveying.images import Image, blind_name, damaged, pair_name
from anomend.surveying.key import KeyTrial, SurveyKey

PAGE = Path(__file__).with_name("page")
READS = ("page/*", "page/jspsych/*")
"""Files that this module reads: a change of them is a change of its code."""


@dataclass(frozen=True)
class SurveyImage:
    """An image with its prompt and seed; pixels are RGB, shape (H, W, 3)."""

    prompt: str
    seed: int
    pixels: Image


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What participants read: plain text, in which markup is shown verbatim."""

    title: str
    question: str
    consent: str
    """Paragraphs are separated by an empty line."""


def build_site(
    folder: Path,
    *,
    pairs: Sequence[tuple[SurveyImage, SurveyImage]],
    whole: Sequence[SurveyImage],
    texts: Texts,
    participants: int,
    repeats: int,
    seed: int,
) -> SurveyKey:
    """Write the folder and return its key; the same arguments give the same bytes.

    Args:
        folder: where the site is written; what is in it is replaced.
        pairs: (base, tuned) images of the real pairs.
        whole: images for the catch pairs, each shown next to a damaged copy of itself.
        participants: number of plans to make.
        repeats: number of pairs that every participant sees twice.
        seed: seed of orders, sides, names and codes.

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
    survey = digest_of([pair.name for pair in real + catches], vars(texts), repeats, seed)[:16]
    codes = [code_of(survey, seed, number) for number in range(participants)]

    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(PAGE, folder)
    for name in ("images", "plans"):
        (folder / name).mkdir()
    for name, pixels in sorted(images.items()):
        PillowImage.fromarray(pixels).save(folder / "images" / name)
    for code, trials in zip(codes, plans, strict=True):
        plan = {"survey": survey, "participant": code, **vars(texts), "trials": [_shown(trial) for trial in trials]}
        (folder / "plans" / f"{code}.js").write_text(f"window.surveyPlan = {json.dumps(plan, indent=1)};\n")
    keyed = {code: tuple(_keyed(trial) for trial in trials) for code, trials in zip(codes, plans, strict=True)}
    return SurveyKey(survey=survey, participants=keyed)


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
