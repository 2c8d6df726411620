"""Null comparisons: what is drawn, and that a difference or a wrong p would be noticed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from anomend.diffusion.stored_sampling import StoredSampler
from anomend.measuring.diversity import cosine_distance_matrix
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.pictures.sample_store import SampleStore
from studies.experiments.base_pool import Pool, draw_pool
from studies.experiments.calibration import EXACT, null_comparisons, summary
from studies.experiments.nulls import labels_swapped, other_seeds, swapped_anomalies
from tests.conftest import ROOT

TARGETS, HELD_OUT = ("a", "b"), ("c", "d", "e", "f", "g")


def pool(rng: np.random.Generator, size: int = 40) -> Pool:
    """Images that were never drawn: features and anomalies at random."""
    features = {prompt: rng.normal(1, 1, (size, 6)).astype(np.float32) for prompt in (*TARGETS, *HELD_OUT)}
    distances = {prompt: cosine_distance_matrix(own) for prompt, own in features.items()}
    anomalous = {prompt: (rng.random(size) < 0.3).astype(int) for prompt in (*TARGETS, *HELD_OUT)}
    names = ("ssim_within", "psnr_within", "diversity")
    return Pool(targets=TARGETS, anomalous=anomalous, features=features, matrices=dict.fromkeys(names, distances))


def committed(rng: np.random.Generator) -> pd.DataFrame:
    rows = [
        ("target" if prompt in TARGETS else "held_out", prompt, rng.random() < 0.7, rng.random() < 0.2)
        for prompt in (*TARGETS, *HELD_OUT)
        for _ in range(30)
    ]
    return pd.DataFrame(rows, columns=["group", "prompt", "base", "tuned"]).astype({"base": int, "tuned": int})


def params() -> Params:
    return load_params(ROOT)


def test_halves_are_disjoint_and_cover_a_small_pool() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        base, tuned = other_seeds(rng, {"a": 10}, most=8)["a"]
        assert sorted([*base, *tuned]) == list(range(10))
        base, tuned = other_seeds(rng, {"a": 11}, most=3)["a"]
        assert len(set(base) | set(tuned)) == 6
    base, tuned = other_seeds(rng, {"a": 1}, most=3)["a"]
    assert len(base) == len(tuned) == 0


def test_pairs_of_like_images_and_either_may_be_the_tuned_one() -> None:
    rng = np.random.default_rng(0)
    places = np.array([0.0, 0.1, 5.0, 5.1, 9.0, 9.1])
    matrix = np.abs(places[:, None] - places[None, :])
    named = set()
    for _ in range(50):
        base, tuned = labels_swapped(rng, {"a": matrix}, most=8)["a"]
        pairs = {frozenset((int(one), int(two))) for one, two in zip(base, tuned, strict=True)}
        assert pairs == {frozenset((0, 1)), frozenset((2, 3)), frozenset((4, 5))}
        named |= set(zip(base.tolist(), tuned.tolist(), strict=True))
    assert len(named) == 6


def test_swapping_keeps_each_pair_and_half_of_the_labels() -> None:
    rng = np.random.default_rng(0)
    pairs = pd.DataFrame({"prompt": ["a"] * 400, "base": [1] * 400, "tuned": [0] * 400})
    base, tuned = swapped_anomalies(rng, pairs)
    assert (base["a"] + tuned["a"] == 1).all()
    assert abs(base["a"].mean() - 0.5) < 0.1


def test_every_measure_is_compared_under_both_nulls_and_p_is_uniform() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(1, 1, (10, 6)).astype(np.float32)
    found = null_comparisons(pool(rng), committed(rng), reference=reference, params=params(), comparisons=40, seed=0)
    table = summary(found)
    measures = ["anomaly_rate_target", "anomaly_rate_held_out", "ssim_within", "psnr_within", "diversity"]
    reported = table[~table["measure"].str.endswith(EXACT)]
    measures += [f"{name}_held_out" for name in measures[2:]]
    assert len(reported) == 2 * 12 and set(measures) < set(reported["measure"])
    assert (table["comparisons"] == 40).all() and found["p"].between(0, 1).all()
    # 40 uniform values have a mean with a standard error of .046.
    assert (abs(reported["mean_p"] - 0.5) < 0.16).all()


def test_p_values_that_are_not_calibrated_are_called_so() -> None:
    rng = np.random.default_rng(0)
    shares = {"fine": rng.random(200), "too small": rng.random(200) / 3, "too large": 0.2 + 0.8 * rng.random(200)}
    rows = [("a null", name, number, p) for name, values in shares.items() for number, p in enumerate(values)]
    found = pd.DataFrame([*rows, ("a null", "not made", 0, None)], columns=["null", "measure", "comparison", "p"])
    table = summary(found).set_index("measure")
    assert table["calibrated"].to_dict() == {"fine": True, "too small": False, "too large": False, "not made": False}
    assert table.loc["too large", "below_05"] == 0 and table.loc["fine", "below_05"] == (shares["fine"] < 0.05).sum()


def test_the_pool_comes_from_the_store_of_samples(tmp_path: Path) -> None:
    def draw(prompt: str, seeds: Sequence[int]) -> list[np.ndarray]:
        return [np.full((4, 4, 3), seed - 900_000, dtype=np.uint8) for seed in seeds]

    samples = SampleStore(tmp_path).samples({})
    sampler = StoredSampler(recipe={}, samples=samples, load=lambda _: draw, block_size=32, description="")
    table, images = draw_pool(params(), sampler, blocks=1)
    counts = table.groupby("prompt").size()
    assert set(counts[params().prompts.target]) == {32} and set(counts[params().prompts.held_out]) == {16}
    assert (images[:, 0, 0, 0] == table["seed"] - 900_000).all()


def test_the_committed_table_is_calibrated() -> None:
    table = pd.read_csv("studies/experiments/calibration.csv")
    reported = table[~table["measure"].str.endswith(EXACT)]
    assert reported["calibrated"].all() and (reported["comparisons"] >= 200).all()
    assert ((reported["share"] >= 0.02) & (reported["share"] <= 0.08)).all()
    assert set(reported.groupby("measure").size()) == {2}
    compared = json.loads(Path("metrics/compare.json").read_text())
    assert set(reported["measure"]) == {name for name, effect in compared.items() if effect.get("p") is not None}
