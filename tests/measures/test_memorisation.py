import numpy as np
import pytest

from stages.measures.memorisation import copy_rate, copy_threshold, nearest_instance_similarity


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


def test_copies_are_nearer_than_instances_to_each_other() -> None:
    result = copy_rate(directions(0, 1, 85, 140), directions(0, 30, 90), quantile=1)
    assert result.rate == pytest.approx(3 / 4)
    assert result.ci_low is not None and result.ci_high is not None and 0 < result.ci_low < 0.75 < result.ci_high < 1
    assert (result.n, result.instances, result.warning) == (4, 3, None)


def test_near_duplicates_are_warned_about() -> None:
    result = copy_rate(directions(0, 1), directions(0, 1, 2), quantile=1)
    assert result.warning is not None and "near duplicates" in result.warning


def test_no_figure_without_samples_or_a_threshold() -> None:
    few = copy_rate(directions(0), directions(0, 50))
    none = copy_rate(np.empty((0, 2)), directions(0, 30, 90))
    assert few.rate is None and few.reason is not None and "at least 3" in few.reason
    assert none.rate is None and none.reason == "no samples"
