"""Drawings depend on their seed alone, and captions are true of them."""

import numpy as np
import pytest

from anomend.miniature.captions import WORDS, caption
from anomend.miniature.dataset import draw_one
from anomend.miniature.defects import plant
from anomend.miniature.drawn_people import pose, render, sample_individual, sample_scene
from anomend.project.seeding import python_random


def test_the_same_seed_draws_the_same_picture() -> None:
    first, second = draw_one(5, 1, 0.5, 0.5, 0.1), draw_one(5, 1, 0.5, 0.5, 0.1)
    assert np.array_equal(first.image, second.image) and first.caption == second.caption
    assert not np.array_equal(first.image, draw_one(6, 1, 0.5, 0.5, 0.1).image)


def test_captions_name_posture_and_place_in_the_vocabulary() -> None:
    rng = python_random(0)
    for _ in range(500):
        scene = sample_scene(rng)
        words = caption(scene, rng).split()
        assert scene.posture in words and scene.place in words
        assert set(words) <= set(WORDS) and len(words) <= 11
        others = {"standing", "sitting", "lying"} - {scene.posture}
        assert not others & set(words)


def test_the_papers_prompt_is_a_caption() -> None:
    rng = python_random(1)
    assert "lying on the grass" in {caption(sample_scene(rng, "lying", "grass"), rng) for _ in range(200)}


def test_an_individual_keeps_its_shirt_and_size() -> None:
    individual = sample_individual(python_random(3))
    scenes = [sample_scene(python_random(k), "standing", "grass", individual) for k in range(3)]
    assert {scene.individual for scene in scenes} == {individual}
    assert render(scenes[0], python_random(0)).shape == (64, 64, 3)


def test_an_unknown_anomaly_is_refused() -> None:
    rng = python_random(0)
    with pytest.raises(ValueError, match="third_eye"):
        plant(pose(sample_scene(rng), rng), "third_eye", rng)
