"""The checker on drawn people that it was not tuned on: other seeds, drawn without the generator's filter."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from anomend.miniature.anatomy import check, check_regions
from anomend.miniature.defects import ANOMALIES, DEFECTIVE, plant
from anomend.miniature.drawn_people import pose, render, sample_scene
from anomend.project.seeding import python_random
from studies.pretraining.autoencoder import round_trip

COUNT = 1000
DECODED = 300
"""Of them, what goes through the VAE: the rates there are a tenth of the limits."""
VAE = Path("models/mini/vae")


@pytest.fixture(scope="module")
def right() -> NDArray[np.uint8]:
    rng = python_random("checker test", "right")
    return np.stack([render(sample_scene(rng), rng) for _ in range(COUNT)])


@pytest.fixture(scope="module")
def anomalous() -> tuple[NDArray[np.uint8], list[str]]:
    rng = python_random("checker test", "anomalous")
    images, kinds = [], []
    for index in range(COUNT):
        scene = sample_scene(rng, *rng.choice(DEFECTIVE))
        kinds.append(ANOMALIES[index % len(ANOMALIES)])
        images.append(render(scene, rng, plant(pose(scene, rng), kinds[-1], rng)))
    return np.stack(images), kinds


def after_vae(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    model = AutoencoderKL.from_pretrained(VAE, torch_dtype=torch.float32).eval()
    return round_trip(model, torch.from_numpy(images)).numpy()


def test_at_most_one_in_a_hundred_right_people_is_called_anomalous(right: NDArray[np.uint8]) -> None:
    assert np.mean([check(image).anomalous for image in right]) <= 0.01


def test_at_least_97_in_a_hundred_anomalous_people_are_caught_and_95_named(
    anomalous: tuple[NDArray[np.uint8], list[str]],
) -> None:
    images, kinds = anomalous
    answers = [check(image).anomalies for image in images]
    missed = Counter(kind for answer, kind in zip(answers, kinds, strict=True) if not answer)
    assert sum(missed.values()) <= 0.03 * COUNT, missed
    assert np.mean([kind in answer for answer, kind in zip(answers, kinds, strict=True)]) >= 0.95


@pytest.mark.slow
def test_right_people_after_the_vae(right: NDArray[np.uint8]) -> None:
    assert np.mean([check(image).anomalous for image in after_vae(right[:DECODED])]) <= 0.03


@pytest.mark.slow
def test_anomalous_people_after_the_vae(anomalous: tuple[NDArray[np.uint8], list[str]]) -> None:
    images, kinds = anomalous
    decoded = after_vae(images[:DECODED])
    missed = Counter(kind for image, kind in zip(decoded, kinds[:DECODED], strict=True) if not check(image).anomalous)
    assert sum(missed.values()) <= 0.05 * DECODED, missed


def test_by_regions_alone_anomalies_are_named_alike(anomalous: tuple[NDArray[np.uint8], list[str]]) -> None:
    images, kinds = anomalous
    answers = [check_regions(image).anomalies for image in images[:200]]
    assert np.mean([kind in answer for answer, kind in zip(answers, kinds[:200], strict=True)]) >= 0.95


def test_an_empty_picture_is_anomalous_in_every_part() -> None:
    anatomy = check(np.full((64, 64, 3), 200, dtype=np.uint8))
    assert anatomy.anomalies == ("missing_torso", "missing_head", "missing_arm", "missing_leg")


def test_a_float_image_is_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        check(np.zeros((64, 64, 3), dtype=np.float32))  # type: ignore[arg-type]
