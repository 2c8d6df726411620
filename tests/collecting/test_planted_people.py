"""Planted losers: the same scene, with exactly what was asked for wrong in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anomend.collecting.drawn_people import collect_drawn_people
from anomend.collecting.planted_people import planted_people, write_planted_people
from anomend.miniature.anatomy import check
from anomend.pictures.image_sets import load_image, read_imagefolder

PROMPTS = ["lying on the grass", "lying on the street"]


def test_each_is_the_scene_of_a_right_drawing_with_an_anomaly() -> None:
    right = {item.provenance["seed"]: item for item in collect_drawn_people(PROMPTS, 24, 7)}
    planted = list(planted_people(PROMPTS, 12, 7))
    assert [item.provenance["seed"] for item in planted] == list(right)
    for item in planted:
        twin = right[item.provenance["seed"]]
        assert item.prompt == twin.prompt and not check(twin.image).anomalous and check(item.image).anomalous
        # Most of the picture is the same to the pixel.
        same = (item.image == twin.image).all(axis=2)
        assert 0.6 < same.mean() < 1
    assert len({item.provenance["anomaly"] for item in planted}) >= 5
    # Fewer are the first of them.
    first = list(planted_people(PROMPTS, 3, 7))
    assert all(np.array_equal(one.image, other.image) for one, other in zip(first, planted[:6], strict=True))


def test_the_set_says_what_was_planted(tmp_path: Path) -> None:
    assert write_planted_people(tmp_path, PROMPTS, 2, 7) == 4
    table = read_imagefolder(tmp_path)
    assert set(table["source"]) == {"planted"} and list(table["prompt"]) == PROMPTS * 2
    assert all(check(load_image(path)).anomalous for path in table["path"])


def test_a_prompt_that_the_world_cannot_draw_is_named() -> None:
    with pytest.raises(ValueError, match="cannot draw 'a cat'"):
        next(planted_people(["a cat"], 1, 0))
