"""Looks while training: which was best, when to stop, and a validation loss that only the weights change."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from PIL import Image

from anomend.reporting.run_files import read_curves
from anomend.training.flow_matching import FlowMatching
from anomend.training.log import TrainingLog, grid
from anomend.training.monitoring import (
    Look,
    Looks,
    shared_anomaly_rate,
    standard_error,
    validation_batches,
    validation_loss,
)
from tests.diffusion.tiny import tiny_transformer, training_data

BINS = [0.1, 0.2, float("nan"), 0.4, 0.5]


def looks(*rates: float | None) -> Looks:
    found = Looks()
    for index, rate in enumerate(rates):
        found.add(10 * (index + 1), Look(rate, 0.5), BINS)
    return found


def test_the_lowest_rate_is_best_and_of_equals_the_earliest() -> None:
    assert looks(0.5, 0.2, 0.3, 0.2).best == 1
    assert looks(None, None).best is None
    found = Looks()
    assert [found.add(step, Look(rate, None), BINS) for step, rate in enumerate((0.5, 0.6, 0.4))] == [True, False, True]


def test_rates_that_chance_could_swap_are_told_apart_by_the_validation_loss() -> None:
    found = Looks()
    # 1, 2 and 8 of 32: one standard error of the lowest is .042 (by hand: p = 2/34), so the second is its equal.
    for step, (count, loss) in enumerate([(1, 0.30), (2, 0.20), (8, 0.10)]):
        found.add(step, Look(count / 32, loss, sampled=32), BINS)
    assert standard_error(1 / 32, 32) == pytest.approx(math.sqrt(2 / 34 * 32 / 34 / 32))
    assert found.best == 1
    assert Looks.of(found.tensors()).best == 1


def test_patience_counts_looks_since_the_best() -> None:
    assert not looks(0.5, 0.2, 0.3).stale(2)
    assert looks(0.5, 0.2, 0.3, 0.2).stale(2)
    assert not looks(0.5, 0.2, 0.3, 0.2).stale(0)
    assert not looks(None, None, None).stale(1)


def test_looks_survive_a_checkpoint() -> None:
    before = looks(0.5, None, 0.25)
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    before.add(40, Look(0.0, None, (picture, picture)), BINS)
    after = Looks.of(before.tensors())
    assert after.steps == before.steps and after.best == before.best == 3
    assert [look.anomaly_rate for look in after.looks] == [0.5, None, 0.25, 0.0]
    assert after.looks[3].validation_loss is None and np.array_equal(after.looks[3].images[1], picture)
    assert np.allclose(after.by_sigma, before.by_sigma, equal_nan=True)


def test_the_anomaly_rate_counts_every_request_once() -> None:
    requests = [("a", seed) for seed in range(10)]
    images = {seed: np.full((2, 2, 3), seed, np.uint8) for seed in range(10)}
    rate, seen = shared_anomaly_rate(
        requests,
        lambda chosen: [images[seed] for _, seed in chosen],
        lambda pictures: [int(picture[0, 0, 0]) >= 7 for picture in pictures],
        Accelerator(cpu=True),
    )
    assert rate == pytest.approx(0.3) and len(seen) == 10


def test_the_validation_loss_is_the_same_at_every_look_and_covers_the_noise_levels() -> None:
    data, flow, transformer = training_data(), FlowMatching(scheme="uniform"), tiny_transformer()
    batches = validation_batches(data, flow, 40, 0, 16)
    again = validation_batches(data, flow, 40, 0, 7)
    first, second = (validation_loss(transformer, found, flow) for found in (batches, again))
    assert first == pytest.approx(second, rel=1e-5)
    sigmas = torch.cat([batch.sigma for batch in batches]).sort().values
    assert len(sigmas) == 40 and float((sigmas[1:] - sigmas[:-1]).max()) < 3 / 40
    assert validation_loss(transformer, [], flow) is None


def test_a_resumed_log_is_the_log_of_an_uninterrupted_run(tmp_path: Path) -> None:
    rows = [{"step": float(step), "loss": 1 / step, "learning_rate": 0.1} for step in range(1, 9)]
    whole, resumed = TrainingLog(tmp_path / "whole"), TrainingLog(tmp_path / "resumed")
    for row in rows:
        whole.step(row)
    whole.look(looks(0.5, 0.25), 0)
    resumed.step({"step": 1.0, "loss": 9.0, "learning_rate": 9.0})
    resumed.close()
    resumed = TrainingLog(tmp_path / "resumed")
    resumed.replay(rows[:5], looks(0.5))
    for row in rows[5:]:
        resumed.step(row)
    for log in (whole, resumed):
        log.close()
    files = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*.tsv"))
    assert len(files) == 8
    for name in files:
        assert (tmp_path / "whole" / name).read_text() == (tmp_path / "resumed" / name).read_text()
    curves = read_curves(tmp_path / "whole")
    assert curves["step"].tolist() == [*range(1, 9), 10]
    assert curves["loss"].tolist()[:8] == pytest.approx([1 / step for step in range(1, 9)], rel=1e-5)
    assert pd.isna(curves["loss"].iloc[8]) and curves["anomaly_rate"].iloc[8] == 0.5


def test_other_trackers_are_told_once(tmp_path: Path) -> None:
    told: list[int] = []
    log = TrainingLog(None, lambda figures, step: told.append(step))
    log.replay([{"step": 1.0, "loss": 1.0}], Looks())
    log.step({"step": 2.0, "loss": 1.0})
    assert told == [2]


def test_a_grid_shows_every_image_and_is_not_too_wide(tmp_path: Path) -> None:
    pictures = tuple(np.full((16, 16, 3), 10 * index, np.uint8) for index in range(11))
    sheet = np.asarray(grid(pictures))
    assert sheet.shape == (32, 128, 3) and sheet[20, 40, 0] == 100
    wide = grid(tuple(np.zeros((512, 512, 3), np.uint8) for _ in range(8)))
    assert isinstance(wide, Image.Image) and wide.size == (1024, 128)
