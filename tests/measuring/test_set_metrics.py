"""Metrics of a group of samples: the same keys whatever the sizes, and a reason for every null."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from anomend.measuring.set_metrics import named_metrics, perceptual_metrics, without_metrics


def features(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)


@pytest.mark.parametrize("extractor", ["efficientnet_lite0", "inception", "dinov2", "clip"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 9])
@pytest.mark.parametrize("instances", [0, 1, 2, 4, 9])
def test_every_null_has_a_reason_and_keys_do_not_depend_on_sizes(extractor: str, n: int, instances: int) -> None:
    texts = features(n, 2) if extractor == "clip" else None
    found = named_metrics(
        extractor,
        features=features(n),
        instances=features(instances, 1),
        rows=range(n),
        sets={"a": range(n)},
        texts=texts,
    )
    notes = {"reason", "frechet_warning"}
    assert set(found) - notes == set(without_metrics(extractor, "gone")) - notes
    nulls = [key for key in found if found[key] is None]
    assert bool(nulls) == ("reason" in found)
    assert all(np.isfinite(value) for key, value in found.items() if key not in notes and value is not None)
    enough = n >= 9 and instances >= 9
    assert enough == (not nulls)


def test_published_names_stand_on_the_features_they_were_published_with() -> None:
    keys = {name: set(without_metrics(name, "gone")) for name in ("inception", "dinov2", "clip", "efficientnet_lite0")}
    assert {"fid", "kid"} <= keys["inception"] and "fd_dinov2" in keys["dinov2"]
    assert {"cmmd", "clip_score", "frechet"} <= keys["clip"]
    assert not {"fid", "kid", "cmmd", "clip_score"} & keys["efficientnet_lite0"]


def test_only_the_groups_rows_count() -> None:
    everything, instances = features(20), features(9, 1)
    part = named_metrics(
        "dinov2", features=everything, instances=instances, rows=range(10, 20), sets={"a": range(10, 20)}
    )
    alone = named_metrics(
        "dinov2", features=everything[10:], instances=instances, rows=range(10), sets={"a": range(10)}
    )
    assert part == alone
    assert part["diversity"] == pytest.approx(pdist(everything[10:], "cosine").mean(), rel=1e-5)


def test_perceptual_metrics_by_hand() -> None:
    # Two samples .4 apart, nearest instance images at .1 and .3; in the other prompt .8 apart, .5 and .7.
    matrices = {
        "a": np.array([[0, 0.4, 0.1, 0.9], [0.4, 0, 0.6, 0.3]]),
        "b": np.array([[0, 0.8, 0.5, 0.9], [0.8, 0, 0.7, 0.7]]),
    }
    found = perceptual_metrics(matrices)
    assert found == {"within_set": pytest.approx(0.6), "nearest_instance": pytest.approx(0.4)}


def test_perceptual_metrics_of_sets_too_small_are_null_with_a_reason() -> None:
    assert perceptual_metrics({})["within_set"] is None and "reason" in perceptual_metrics({})
    one = perceptual_metrics({"a": np.array([[0.0, 0.2]])})
    assert (
        one["within_set"] is None and one["nearest_instance"] == pytest.approx(0.2) and "two samples" in one["reason"]
    )
    none = perceptual_metrics({"a": np.array([[0.0, 0.2], [0.2, 0.0]])})
    assert none["nearest_instance"] is None and none["within_set"] == pytest.approx(0.2)
    # A prompt without a pair does not make a null of the others' mean.
    assert perceptual_metrics({"a": np.zeros((0, 3)), "b": np.zeros((2, 5))})["within_set"] == 0
