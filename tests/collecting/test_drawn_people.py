"""Drawn instance images: right, of one individual, for the target prompts."""

import numpy as np
import pytest

from anomend.collecting.drawn_people import collect_drawn_people, parse_prompt
from anomend.miniature.anatomy import check

PROMPTS = ["lying on the grass", "lying on the street"]


def test_images_go_round_the_prompts_and_are_right() -> None:
    images = list(collect_drawn_people(PROMPTS, 20, 7))
    assert [image.text for image in images] == PROMPTS * 10
    assert not any(check(image.image).anomalous for image in images)


def test_the_seed_decides() -> None:
    first, again, other = (next(iter(collect_drawn_people(PROMPTS, 1, seed))).image for seed in (7, 7, 8))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("prompt", ["lying in the pool", "a red car", "lying and sitting on the grass"])
def test_a_prompt_that_the_world_cannot_draw_is_named(prompt: str) -> None:
    with pytest.raises(ValueError, match=prompt):
        parse_prompt(prompt)


def test_an_upper_case_prompt_is_understood() -> None:
    assert parse_prompt("A woman Lying on the Beach") == ("lying", "beach")
