"""Memorisation: copies are found, by structure and by features, and fresh pictures of the same subject are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from anomend.measuring.memorisation import (
    FLOOR,
    copies_by_features,
    copies_by_structure,
    copy_rate,
    copy_threshold,
    nearest_instance_similarity,
)
from anomend.measuring.structure import structural_distance, thumbnails
from anomend.miniature.drawn_people import render, sample_scene
from anomend.project.seeding import numpy_generator, python_random
from tests.conftest import ROOT
from tests.measuring.pictures import NO_IMAGES


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


def drawn_people(count: int, what: str) -> list[NDArray[np.uint8]]:
    """Drawn people without anomalies, lying on grass and street, like the honest run's training images."""
    made = []
    for number in range(count):
        rng = python_random("memorisation", what, number)
        made.append(render(sample_scene(rng, "lying", ("grass", "street")[number % 2]), rng))
    return made


@pytest.fixture(scope="module")
def instances() -> list[NDArray[np.uint8]]:
    return drawn_people(20, "instance")


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
    found = copies_by_structure(drawn_people(256, "fresh"), instances)
    assert found.rate is not None and found.rate <= 0.02
    # The instance images, each held out, foretell it: none of 20.
    assert found.held_out_rate == 0 and found.warning is None
    assert copy_rate([found]).rate == found.rate


def test_one_training_image_is_enough_to_find_its_copies(instances: list[NDArray[np.uint8]]) -> None:
    found = copies_by_structure([*instances[:1] * 9, instances[1]], instances[:1])
    assert (found.rate, found.threshold) == (0.9, FLOOR)
    # Twins among the training images do not hide their copies either.
    assert copies_by_structure(instances[:1], [instances[0]] * 5).rate == 1.0


def test_copies_by_features_are_nearer_than_instances_to_each_other() -> None:
    result = copies_by_features(directions(0, 1, 85, 140), directions(0, 30, 90), quantile=1)
    assert result.rate == pytest.approx(3 / 4)
    # Held out, 0 and 30 degrees are nearer to each other than what is left; 90 is not.
    assert result.held_out_rate == pytest.approx(2 / 3)
    assert result.warning == (
        "by features, 2 of 3 instance images, each held out, are taken for copies of the others: compare the rate with"
        " the base model's"
    )
    assert copy_rate([result]).rate == 0.75


def test_near_duplicates_are_warned_about() -> None:
    result = copies_by_features(directions(0, 1), directions(0, 1, 2), quantile=1)
    assert result.warning is not None and "near duplicates" in result.warning


def test_either_detector_is_enough_and_without_one_there_is_no_rate() -> None:
    few = copies_by_features(directions(0), directions(0, 50))
    none = copies_by_features(np.empty((0, 2)), directions(0, 30, 90))
    assert few.rate is None and few.reason is not None and "at least 3" in few.reason
    assert none.rate is None and none.reason == "no samples"
    nothing = copies_by_structure([], [])
    assert copy_rate([few, nothing]).rate is None and "no samples" in str(copy_rate([few, nothing]).reason)
    first = copies_by_features(directions(0, 140), directions(0, 30, 90), quantile=1)
    second = copies_by_features(directions(140, 0), directions(0, 30, 90), quantile=1)
    assert (first.rate, second.rate, copy_rate([first, second, few]).rate) == (0.5, 0.5, 1.0)


@pytest.mark.parametrize("count", [3, 5, 20])
def test_fresh_pictures_of_the_instances_kind_raise_false_alarms_at_2_in_m_plus_1(count: int) -> None:
    rng = numpy_generator(5, "false alarms", count)
    sets, fresh = 400, 10
    rates = []
    for _ in range(sets):
        features = rng.normal(size=(count + fresh, 6))
        rates.append(copies_by_features(features[count:], features[:count]).rate)
    assert np.mean(rates) == pytest.approx(2 / (count + 1), abs=4 * np.std(rates) / np.sqrt(sets))


def test_the_held_out_rate_is_that_of_detectors_calibrated_one_by_one() -> None:
    features = numpy_generator(6, "held out").normal(size=(12, 3))
    for quantile in (0.5, 0.99):
        alarms = 0
        for left_out in range(12):
            rest = np.delete(features, left_out, axis=0)
            alarms += int(copies_by_features(features[left_out][None], rest, quantile).copied.sum())  # type: ignore[union-attr]
        found = copies_by_features(features[:1], features, quantile)
        assert found.held_out_rate == alarms / 12
    # With a threshold at the highest similarity it is always the nearest pair.
    assert found.held_out_rate == 2 / 12


def test_twins_among_the_training_images_are_false_alarms_by_structure(instances: list[NDArray[np.uint8]]) -> None:
    found = copies_by_structure(instances[:1], [*instances[:6], *instances[:2]])
    assert found.held_out_rate == 4 / 8 and "by structure, 4 of 8" in str(found.warning)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_instance_images(instances: list[NDArray[np.uint8]], count: int) -> None:
    """A copy and a fresh picture, by structure: told apart from one instance image on; none is a reason, and no 0."""
    samples = [instances[0], *drawn_people(3, "fresh")]
    by_structure = copies_by_structure(samples, instances[:count])
    features = np.eye(8)[:5] + 0.1
    by_features = copies_by_features(features[:4], features[:count])
    if count == 0:
        assert by_structure.rate is None and by_structure.reason == "no instance images"
    else:
        assert by_structure.rate == 0.25
    if count < 3:
        assert (
            by_features.rate is None and by_features.reason == f"{count} instance images: a threshold needs at least 3"
        )
        assert by_structure.held_out_rate is None and by_features.held_out_rate is None
        together = copy_rate([by_structure, by_features])
        assert together.rate == by_structure.rate
        assert (together.reason is None) == (count > 0)


def test_equal_instance_features_have_no_rate_instead_of_a_0() -> None:
    found = copies_by_features(directions(0, 90), directions(20, 20, 20))
    assert found.rate is None and found.reason == "instance images have equal features: no copy could be nearer"


def test_features_that_are_not_finite_are_refused() -> None:
    good, bad = directions(0, 30, 90), np.array([[np.nan, 1.0]])
    for call in (
        lambda: copies_by_features(bad, good),
        lambda: copies_by_features(good, np.concatenate([good, bad])),
        lambda: nearest_instance_similarity(bad, good),
        lambda: copy_threshold(np.concatenate([good, np.zeros((1, 2))])),
    ):
        with pytest.raises(ValueError, match="zero, NaN or infinite"):
            call()
    with pytest.raises(ValueError, match="no instance images"):
        nearest_instance_similarity(good, np.empty((0, 2)))
    assert nearest_instance_similarity(np.empty((0, 2)), good).shape == (0,)
    one, two = copies_by_features(good, good), copies_by_features(good[:1], good)
    with pytest.raises(ValueError, match="3, 1 samples"):
        copy_rate([one, two])


def test_pictures_of_one_colour_are_the_same_picture_and_no_other() -> None:
    black, white = np.zeros((64, 64, 3), np.uint8), np.full((40, 50, 3), 255, np.uint8)
    noise = np.asarray(numpy_generator(7, "noise").integers(0, 256, (64, 64, 3)), dtype=np.uint8)
    found = copies_by_structure([black, noise, white], [white])
    assert found.copied is not None and list(found.copied) == [True, False, True]
    # Shapes at the very border do not make a picture plain.
    framed = black.copy()
    framed[:2] = 255
    assert copies_by_structure([black], [framed]).rate == 0


@pytest.mark.parametrize("picture", NO_IMAGES)
def test_what_is_no_8_bit_image_is_named(picture: NDArray[np.uint8]) -> None:
    good = np.zeros((8, 8, 3), np.uint8)
    for call in (lambda: copies_by_structure([picture], [good]), lambda: copies_by_structure([good], [picture])):
        with pytest.raises(ValueError, match="convert it to 8-bit RGB first"):
            call()


def test_thumbnails_take_any_size_and_mode_and_none() -> None:
    assert thumbnails([]).shape == (0, 32, 32, 3)
    assert thumbnails([np.zeros((5, 900, 3), np.uint8), np.zeros((1, 1), np.uint8)]).shape == (2, 32, 32, 3)
    assert structural_distance(thumbnails([]), thumbnails([])).shape == (0, 0)
