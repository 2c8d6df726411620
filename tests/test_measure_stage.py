"""The stages `measure` and `compare` on sets that are too small for a figure: null with a reason, and no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.compare import frechet_entry
from stages.measure import feature_figures
from stages.params import MeasureParams
from stages.seeding import numpy_generator

SETTINGS = MeasureParams(detector="figures", extractor="efficientnet_lite0", within_set_images=4, batch_size=8)


def figures(instances: int) -> dict[str, object]:
    rng = numpy_generator("measure stage", instances)
    table = pd.DataFrame({"group": ["target"] * 8, "prompt": ["a", "b"] * 4, "seed": range(8)})
    features = [rng.random((count, 16)).astype(np.float32) for count in (8, instances)]
    return feature_figures(features[0], features[1], table, SETTINGS)


def test_one_instance_image_has_no_distance_between_sets_and_says_so() -> None:
    one, many = figures(1), figures(5)
    assert one["frechet_efficientnet_lite0"] is None and one["kernel_efficientnet_lite0"] is None
    assert "two or more" in str(one["reason"])
    assert isinstance(one["nearest_instance_similarity"], float) and isinstance(one["diversity"], float)
    assert isinstance(many["kernel_efficientnet_lite0"], float) and "reason" not in many


def test_the_comparison_carries_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metrics").mkdir()
    for model in ("base", "tuned"):
        content = figures(1) | {"provenance": {"n_target": 8}}
        (tmp_path / "metrics" / f"measure_{model}.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    entry = frechet_entry("efficientnet_lite0")["frechet_efficientnet_lite0"]
    assert entry["delta"] is None and "two or more" in entry["reason"]
