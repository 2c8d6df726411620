"""Texts that people could write, and that resemble markup, templates, formulas and code; each must stay text."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from anomend.miniature.drawn_people import render, sample_scene
from anomend.project.seeding import python_random
from tests.clones import set_params

TARGET = [
    "lying on the grass <img src=x onerror=alert(1)> {{ 7*7 }} 草の上",
    "lying on the street </script><script>alert('2')</script> Ünïcödé {% raw %}",
]
HELD_OUT = ["lying on the beach 'ä' & \"q\" ${7*7} | **bold** @team `x`", "standing on the grass\t\\n %s {0} İı"]
TITLE = "Grass <b onmouseover=alert(4)>/ street</b> {{ config }} ß"
QUESTION = "Which <i>picture</i> is {{ 7*7 }} more natural? 哪一张"
CONSENT = "<script>alert(5)</script> & you agree.\n\n<a href=javascript:alert(6)>Second</a> paragraph — ありがとう."
FILES = ["<svg onload=alert(7)> {{ 7*7 }}.png", "été 草 & 'quotes' \"two\".png", "-rf $(touch hacked) `id` %41.png"]
"""Names of a user's own pictures."""

SECTIONS: dict[str, dict[str, Any]] = {
    "prompts": {"target": TARGET, "held_out": HELD_OUT},
    "collect": {"mix": {"folder": len(FILES)}},
    "curate": {"detector": "drawn_people"},
    "report": {"title": TITLE},
    "survey": {"title": TITLE, "question": QUESTION, "consent": CONSENT, "participants": 2, "languages": ["en"]},
}


def add_odd_texts(folder: Path) -> None:
    """Put them into a clone: prompts, the survey's and the report's texts, names and captions of own pictures."""
    own = folder / "data" / "own"
    shutil.rmtree(own)
    own.mkdir()
    for index, name in enumerate(FILES):
        rng = python_random("odd texts", index)
        Image.fromarray(render(sample_scene(rng, "lying", "grass"), rng)).save(own / name)
        (own / name).with_suffix(".txt").write_text(f"{TARGET[0]}, a caption", encoding="utf-8")
    set_params(folder, SECTIONS)
