"""The picture of base and tuned images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.pairs import first_pairs
from anomend.reporting.side_by_side import ANOMALY_RED, save_side_by_side


def test_side_by_side_shows_both_models_and_marks_anomalies(inputs: ReportInputs, tmp_path: Path) -> None:
    save_side_by_side(tmp_path / "plots" / "grid.png", first_pairs(inputs.pairs, 2), cell=64)
    save_side_by_side(tmp_path / "again.png", first_pairs(inputs.pairs, 2), cell=64)
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "plots" / "grid.png").read_bytes()
    sheet = np.asarray(Image.open(tmp_path / "again.png"))
    # Three of the eight images are anomalous. Their frames are full columns of red, four pixels wide on either side.
    red = (sheet == ANOMALY_RED).all(axis=2)
    columns = np.flatnonzero(red.sum(axis=0) >= 64)
    assert len(columns) >= 3 * 2 * 4
    right = sheet[:, sheet.shape[1] // 2 :]
    held_out = np.asarray(Image.open(first_pairs(inputs.pairs, 2)[3].tuned.path))
    windows = np.lib.stride_tricks.sliding_window_view(right, held_out.shape)[:, :, 0]
    assert (windows[:, :, ::8, ::8] == held_out[::8, ::8]).all(axis=(2, 3, 4)).any()
    with pytest.raises(ValueError, match="no pair"):
        save_side_by_side(tmp_path / "none.png", [])
