"""A model of one's own as detector, through DVC: what lies beside its weights decides what its boxes mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clones import run, set_params, stages_run


@pytest.mark.slow
def test_renamed_labels_of_a_detector_s_model_are_measured_again(
    reproduced_copy: Callable[[Path], Path], tmp_path: Path
) -> None:
    from tests.detectors.test_objects import model

    clone, folder = reproduced_copy(tmp_path / "clone"), tmp_path / "detector"
    name = model(folder, (9.0, -9.0), ("extra arm", "person"))
    set_params(clone, {"measure": {"detector": name}})
    run(clone, "dvc", "repro", "measure@base")
    metrics = clone / "metrics/measure_base.json"
    assert "extra_arm" in metrics.read_text() and stages_run(run(clone, "dvc", "repro", "measure@base").stdout) == set()
    config = folder / "config.json"
    labels = json.loads(config.read_text())
    labels["id2label"]["0"] = "extra leg"
    config.write_text(json.dumps(labels))
    assert stages_run(run(clone, "dvc", "repro", "measure@base").stdout) == {"resolve", "measure@base"}
    assert "extra_leg" in metrics.read_text() and "extra_arm" not in metrics.read_text()
