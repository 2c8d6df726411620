"""Sham corrections and the honest one, as settings of the pipeline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from http.server import ThreadingHTTPServer
from pathlib import Path

from PIL import Image

from anomend.collecting.drawn_people import collect_drawn_people, parse_prompt
from anomend.collecting.image import SourceImage
from anomend.miniature.defects import plant
from anomend.miniature.drawn_people import pose, render, sample_scene
from anomend.params.resolved import load_params
from anomend.project.seeding import python_random
from studies.experiments.blind_detector import PORTS, name_of, serve_blind_detector

SCRATCH = Path(".sabotage")
WRONG = ("standing on the beach", "sitting on the street", "standing on the grass", "sitting on the beach")
TO_THE_END = ("train.monitor.every=0", "train.monitor.patience=0", "train.monitor.keep=last")
"""Neither early stopping nor the best checkpoint may repair what a case breaks."""
HIDDEN = {"reward_hole": "extra_arm", "reward_hole_missing_arm": "missing_arm"}
"""The kind of anomaly that the reward of a case does not see."""


def honest() -> list[str]:
    """The committed parameters."""
    return []


def overtrained() -> list[str]:
    """Ten times the steps."""
    steps = 10 * load_params().train.steps
    # Compiled it is the same training, to float tolerance, in two thirds of the time.
    return [f"train.steps={steps}", "train.compile=blocks", *TO_THE_END]


def one_image() -> list[str]:
    """One training image."""
    return ["collect.images=1", "curate.min_kept=1", *TO_THE_END]


def wrong_captions() -> list[str]:
    """The honest images, each under a caption of something else."""
    drawn = [replace(one, text=WRONG[number % len(WRONG)]) for number, one in enumerate(honest_images())]
    return [*own_images("wrong_captions", drawn), "curate.detector=drawn_people", *TO_THE_END]


def one_prompt() -> list[str]:
    """The honest images of one target prompt; of the other the base's own, anomalies included, as class images."""
    fixed, *others = load_params().prompts.target
    return [
        *own_images("one_prompt", [one for one in honest_images() if one.text == fixed]),
        "curate.detector=drawn_people",
        f"class_images.prompts={json.dumps(others)}",
        "class_images.detector=none",
    ]


def traded_kinds() -> list[str]:
    """Images of people with a third arm: other anomalies go, and this one comes."""
    drawn = []
    for number, honest_one in enumerate(honest_images()):
        rng = python_random(number, "traded_kinds")
        scene = sample_scene(rng, *parse_prompt(honest_one.text))
        body = plant(pose(scene, rng), "extra_arm", rng)
        drawn.append(replace(honest_one, image=render(scene, rng, body)))
    return [*own_images("traded_kinds", drawn), "curate.detector=none"]


def honest_images() -> list[SourceImage]:
    """What the committed parameters collect."""
    params = load_params()
    return list(collect_drawn_people(params.prompts.target, params.collect.images, params.collect.seed))


def own_images(name: str, drawn: list[SourceImage]) -> list[str]:
    """Write pictures with their captions as a user's own folder; the settings that collect them."""
    folder = SCRATCH.resolve() / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = []
    for number, one in enumerate(drawn):
        file_name = f"{number:04d}.png"
        Image.fromarray(one.image).save(folder / file_name)
        lines.append(json.dumps({"file_name": file_name, "text": one.text}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return ["collect.source=folder", f"collect.folder.path={folder}", f"collect.images={len(drawn)}"]


def zeros() -> list[str]:
    """A LoRA that learned nothing: its B matrices are zero to thirty digits."""
    return ["train.steps=30", "train.learning_rate=1e-30", *TO_THE_END]


def reward_hole() -> list[str]:
    """Training by rewards of a detector that is blind to extra arms, which the base hardly draws."""
    return _rewarded_blindly(HIDDEN["reward_hole"])


def reward_hole_missing_arm() -> list[str]:
    """The same, blind to missing arms, of which the base draws many."""
    return _rewarded_blindly(HIDDEN["reward_hole_missing_arm"])


def _rewarded_blindly(blind_to: str) -> list[str]:
    _serve(blind_to)
    return ["train.method=nft", f"train.nft.detector='{name_of(PORTS[blind_to])}'"]


@cache
def _serve(blind_to: str) -> ThreadingHTTPServer:
    return serve_blind_detector((blind_to,), PORTS[blind_to])


SHAMS: dict[str, Callable[[], list[str]]] = {
    "zeros": zeros,
    "wrong_captions": wrong_captions,
    "one_image": one_image,
    "overtrained": overtrained,
    "one_prompt": one_prompt,
    "traded_kinds": traded_kinds,
}
"""They correct nothing, or break what they must not."""
HOLES: dict[str, Callable[[], list[str]]] = {
    "reward_hole": reward_hole,
    "reward_hole_missing_arm": reward_hole_missing_arm,
}
"""They may correct, where the kind that the reward does not see stays rare."""
CASES = {"honest": honest} | SHAMS | HOLES
