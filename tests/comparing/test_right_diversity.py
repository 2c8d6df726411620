"""Diversity among right images: which images count, and what stands in where there are too few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anomend.comparing.anomalies import pair_counts
from anomend.comparing.pairs import Pairs
from anomend.comparing.right_diversity import right_diversity

SEEDS = 20


def images(anomalous: list[int | None]) -> pd.DataFrame:
    """Two prompts of 20 seeds: one target, one held-out."""
    prompts = ["lying on the grass", "lying on the snow"]
    table = pd.DataFrame(
        [
            (group, prompt, seed)
            for group, prompt in zip(("target", "held_out"), prompts, strict=True)
            for seed in range(SEEDS)
        ],
        columns=["group", "prompt", "seed"],
    )
    table["anomalous"] = anomalous
    return table.assign(anomalies=["extra_arm missing_leg" if flag == 1 else None for flag in anomalous])


def pairs() -> dict[str, Pairs]:
    found = {}
    for suffix, prompt, start in (("", "lying on the grass", 0), ("_held_out", "lying on the snow", SEEDS)):
        rows = np.arange(start, start + SEEDS)
        found[suffix] = Pairs(
            prompts=[prompt] * SEEDS,
            texts=[prompt] * SEEDS,
            rows=np.stack([rows, rows]),
            paths=([Path()] * SEEDS, [Path()] * SEEDS),
        )
    return found


def features(wrong_are_diverse: list[int | None], spread: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.eye(8)[0] + spread * rng.normal(size=(2 * SEEDS, 8))
    values[np.array(wrong_are_diverse) == 1] += 5 * rng.normal(size=(sum(flag == 1 for flag in wrong_are_diverse), 8))
    return values.astype(np.float32)


def compared(base: list[int | None], tuned: list[int | None], instances: int = 20) -> dict[str, object]:
    return right_diversity(
        pairs(),
        {"base": images(base), "tuned": images(tuned)},
        {"base": features(base, 0.1, 1), "tuned": features(tuned, 0.1, 2)},
        instances=features([0] * 2 * SEEDS, 0.1, 3)[:instances],
        confidence=0.95,
    )


RIGHT: list[int | None] = [0] * 2 * SEEDS


def test_anomalies_count_on_neither_side() -> None:
    half: list[int | None] = [1] * 10 + [0] * 30
    found = compared(half, RIGHT)
    assert found["images_base"] == 10 and found["images_tuned"] == 20
    assert found["reference"] == "the base's right images"
    # The base's anomalies are many times as diverse; its right images are as diverse as the tuned ones.
    assert found["ratio"] == pytest.approx(1, abs=0.5)


def test_a_held_out_prompt_or_the_instance_images_stand_in() -> None:
    nearly_all: list[int | None] = [1] * 15 + [0] * 25
    found = compared(nearly_all, RIGHT)
    assert "of which it has 5 right images, those of 'lying on the snow'" in str(found["reference"])
    assert found["images_base"] == 20
    everything_wrong: list[int | None] = [1] * 2 * SEEDS
    found = compared(everything_wrong, RIGHT)
    assert "the instance images" in str(found["reference"])
    found = compared(everything_wrong, RIGHT, instances=4)
    assert found["ratio"] is None and "fewer than 8 right images of 'lying on the grass'" in str(found["reason"])


def test_too_few_right_tuned_images_settle_nothing() -> None:
    found = compared(RIGHT, [1] * 13 + [0] * 27)
    assert found["ratio"] is None and "tuned model has fewer than 8 right images" in str(found["reason"])


def test_without_a_detector_all_images_count() -> None:
    nothing: list[int | None] = [None] * 2 * SEEDS
    found = compared(nothing, nothing)
    assert found["images_base"] == 20 and "no detector tells" in str(found["reference"])


def test_pairs_are_counted_by_prompt_and_by_kind() -> None:
    base: list[int | None] = [1] * 10 + [0] * 30
    tuned: list[int | None] = [0] * 8 + [1] * 4 + [0] * 28
    counts = pair_counts({"base": images(base), "tuned": images(tuned)})
    cells = {"both": 2, "only_base": 8, "only_tuned": 2, "neither": 8}
    assert counts["anomaly_rate_target"]["prompts"] == [{"name": "lying on the grass", **cells}]
    assert counts["anomaly_rate_target"]["kinds"] == [{"name": name, **cells} for name in ("extra_arm", "missing_leg")]
    assert counts["anomaly_rate_held_out"]["kinds"] == []
    assert pair_counts({"base": images([None] * 40), "tuned": images([None] * 40)}) == {}
