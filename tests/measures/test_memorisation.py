"""Memorisation: copies are found, by structure and by features, and fresh pictures of the same subject are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from stages.measures.memorisation import (
    FLOOR,
    copies_by_features,
    copies_by_structure,
    copy_rate,
    copy_threshold,
    nearest_instance_similarity,
)
from stages.measures.structure import structural_distance, thumbnails
from stages.miniature.figures import render, sample_scene
from stages.seeding import numpy_generator, python_random
from tests.conftest import ROOT


def directions(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_nearest_similarity_is_the_cosine_of_the_smallest_angle() -> None:
    found = nearest_instance_similarity(directions(10, 50, 90), directions(0, 60))
    assert np.allclose(found, np.cos(np.deg2rad([10, 10, 30])))


def test_threshold_leaves_each_image_out() -> None:
    # Nearest other images are 20, 20 and 40 degrees away.
    instances = directions(0, 20, 60)
    assert copy_threshold(instances, 1) == pytest.approx(np.cos(np.deg2rad(20)))
    assert copy_threshold(instances, 0) == pytest.approx(np.cos(np.deg2rad(40)))
    assert copy_threshold(instances[:2]) is None


def figures(count: int, what: str) -> list[NDArray[np.uint8]]:
    """Right figures lying on grass and street, as the honest run is trained on."""
    made = []
    for number in range(count):
        rng = python_random("memorisation", what, number)
        made.append(render(sample_scene(rng, "lying", ("grass", "street")[number % 2]), rng))
    return made


@pytest.fixture(scope="module")
def instances() -> list[NDArray[np.uint8]]:
    return figures(20, "instance")


def test_the_structural_distance_is_that_of_standardised_pictures() -> None:
    # Without shifts to choose from the distance is sqrt(2 (1 - r)): pictures of large blocks do not fit when shifted.
    rng = numpy_generator(3, "blocks")
    first, second = (np.kron(rng.integers(0, 256, (2, 2, 3)), np.ones((16, 16, 1))) for _ in range(2))
    flat = np.stack([first, second])[:, 2:-2, 2:-2].reshape(2, -1)
    r = np.corrcoef(flat)[0, 1]
    found = structural_distance(first[None], second[None])[0, 0]
    assert found <= np.sqrt(2 * (1 - r)) + 1e-12
    # The square root turns a rounding of 1e-16 into 1e-8.
    assert structural_distance(first[None], first[None])[0, 0] == pytest.approx(0, abs=1e-6)
    assert structural_distance(first[None], (0.5 * first + 20)[None])[0, 0] == pytest.approx(0, abs=1e-6)
    assert structural_distance(first[None], first[None, :, ::-1])[0, 0] == pytest.approx(0, abs=1e-6)
    plain = np.full((1, 32, 32, 3), 7.0)
    assert structural_distance(first[None], plain)[0, 0] == pytest.approx(np.sqrt(2))
    noise = rng.normal(size=(2, 32, 32, 3))
    assert structural_distance(noise[:1], noise[1:])[0, 0] == pytest.approx(np.sqrt(2), abs=0.1)


def test_a_training_image_through_the_autoencoder_is_a_copy(instances: list[NDArray[np.uint8]]) -> None:
    autoencoder = AutoencoderKL.from_pretrained(ROOT / "models" / "mini" / "vae")
    pixels = torch.from_numpy(np.stack(instances)).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        decoded = autoencoder.decode(autoencoder.encode(pixels).latent_dist.mean).sample.clamp(-1, 1)
    copies = ((decoded + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    assert copies_by_structure(list(copies), instances).rate == 1.0


@pytest.mark.parametrize("change", ["mirrored", "shifted", "darker", "jpeg", "larger"])
def test_a_copy_that_was_changed_a_little_is_a_copy(instances: list[NDArray[np.uint8]], change: str) -> None:
    def changed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if change == "mirrored":
            return image[:, ::-1]
        if change == "shifted":
            return np.roll(image, (4, -2), (0, 1))
        picture = Image.fromarray(image)
        if change == "darker":
            return np.asarray(ImageEnhance.Brightness(picture).enhance(0.6))
        if change == "larger":
            return np.asarray(picture.resize((256, 256), Image.Resampling.BICUBIC))
        return np.asarray(picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=32).convert("RGB"))

    assert copies_by_structure([changed(image) for image in instances], instances).rate == 1.0


def test_fresh_pictures_of_the_same_subject_are_no_copies(instances: list[NDArray[np.uint8]]) -> None:
    found = copies_by_structure(figures(256, "fresh"), instances)
    assert found.rate is not None and found.rate <= 0.02
    # A Wilson interval over the same samples.
    both = copy_rate([found])
    assert both.rate == found.rate and both.ci_high is not None and both.ci_high < 0.05


def test_one_training_image_is_enough_to_find_its_copies(instances: list[NDArray[np.uint8]]) -> None:
    found = copies_by_structure([*instances[:1] * 9, instances[1]], instances[:1])
    assert (found.rate, found.threshold) == (0.9, FLOOR)
    # Twins among the training images do not hide their copies either.
    assert copies_by_structure(instances[:1], [instances[0]] * 5).rate == 1.0


def test_copies_by_features_are_nearer_than_instances_to_each_other() -> None:
    result = copies_by_features(directions(0, 1, 85, 140), directions(0, 30, 90), quantile=1)
    assert result.rate == pytest.approx(3 / 4) and result.warning is None
    rate = copy_rate([result])
    assert rate.ci_low is not None and rate.ci_high is not None and 0 < rate.ci_low < 0.75 < rate.ci_high < 1


def test_near_duplicates_are_warned_about() -> None:
    result = copies_by_features(directions(0, 1), directions(0, 1, 2), quantile=1)
    assert result.warning is not None and "near duplicates" in result.warning


def test_either_detector_is_enough_and_none_is_no_figure() -> None:
    few = copies_by_features(directions(0), directions(0, 50))
    none = copies_by_features(np.empty((0, 2)), directions(0, 30, 90))
    assert few.rate is None and few.reason is not None and "at least 3" in few.reason
    assert none.rate is None and none.reason == "no samples"
    nothing = copies_by_structure([], [])
    assert copy_rate([few, nothing]).rate is None and "no samples" in str(copy_rate([few, nothing]).reason)
    first = copies_by_features(directions(0, 140), directions(0, 30, 90), quantile=1)
    second = copies_by_features(directions(140, 0), directions(0, 30, 90), quantile=1)
    assert (first.rate, second.rate, copy_rate([first, second, few]).rate) == (0.5, 0.5, 1.0)


def test_thumbnails_take_any_size_and_mode_and_none() -> None:
    assert thumbnails([]).shape == (0, 32, 32, 3)
    assert thumbnails([np.zeros((5, 900, 3), np.uint8)]).shape == (1, 32, 32, 3)
    assert structural_distance(thumbnails([]), thumbnails([])).shape == (0, 0)
