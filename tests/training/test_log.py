"""The curves and pictures of a training run on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from anomend.reporting.run_files import read_curves
from anomend.training.evaluations import EvaluationHistory
from anomend.training.log import TrainingLog, grid
from tests.training.test_evaluations import history_of


def test_a_resumed_log_is_the_log_of_an_uninterrupted_run(tmp_path: Path) -> None:
    rows = [{"step": float(step), "loss": 1 / step, "learning_rate": 0.1} for step in range(1, 9)]
    whole, resumed = TrainingLog(tmp_path / "whole"), TrainingLog(tmp_path / "resumed")
    for row in rows:
        whole.step(row)
    whole.evaluation(history_of(0.5, 0.25), 0)
    resumed.step({"step": 1.0, "loss": 9.0, "learning_rate": 9.0})
    resumed.close()
    resumed = TrainingLog(tmp_path / "resumed")
    resumed.replay(rows[:5], history_of(0.5))
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


def test_other_trackers_get_each_step_once(tmp_path: Path) -> None:
    tracked: list[int] = []
    log = TrainingLog(None, lambda metrics, step: tracked.append(step))
    log.replay([{"step": 1.0, "loss": 1.0}], EvaluationHistory())
    log.step({"step": 2.0, "loss": 1.0})
    assert tracked == [2]


def test_a_grid_shows_every_image_and_is_not_too_wide(tmp_path: Path) -> None:
    pictures = tuple(np.full((16, 16, 3), 10 * index, np.uint8) for index in range(11))
    sheet = np.asarray(grid(pictures))
    assert sheet.shape == (32, 128, 3) and sheet[20, 40, 0] == 100
    wide = grid(tuple(np.zeros((512, 512, 3), np.uint8) for _ in range(8)))
    assert isinstance(wide, Image.Image) and wide.size == (1024, 128)
