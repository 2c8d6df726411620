"""No detector ran, or one whose anomalies prove nothing: what every stage after that says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from anomend.detectors.photographs.detector import CAUTION
from anomend.detectors.table import make_detector
from anomend.measuring.anatomy import measure_anatomy
from anomend.params.evaluation import CompareParams
from anomend.verdict.decision import Thresholds, decide
from stages import agreement, compare
from tests.detectors.settings import detector_params

SETTINGS = CompareParams(seed=0, resamples=200, confidence=0.95)
SEEDS = 8
NONE = make_detector("none", detector_params())


def samples() -> pd.DataFrame:
    rows = [
        (f"{group}{seed}.png", group, f"{group} prompt", seed)
        for group in ("target", "held_out")
        for seed in range(SEEDS)
    ]
    return pd.DataFrame(rows, columns=["file_name", "group", "prompt", "seed"])


IMAGES = [np.full((64, 64, 3), 200, np.uint8)] * (2 * SEEDS)


@pytest.fixture
def unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run without a detector."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics" / "plots").mkdir(parents=True)
    for model in ("base", "tuned"):
        per_image, _, _ = measure_anatomy(IMAGES, samples(), NONE)
        per_image.to_csv(tmp_path / "metrics" / "plots" / f"images_{model}.csv", index=False)
    return tmp_path


def test_without_a_detector_rates_are_null_with_the_reason() -> None:
    per_image, rates, provenance = measure_anatomy(IMAGES, samples(), NONE)
    assert rates["anomaly_rate_target"] is None and rates["anomaly_rate_held_out"] is None
    assert "no detector ran" in str(rates["anomaly_rate_target_reason"])
    assert per_image["anomalous"].isna().all() and provenance == {"detector": "none"}


def test_the_miniatures_checker_says_what_it_always_said() -> None:
    per_image, rates, provenance = measure_anatomy(IMAGES, samples(), make_detector("drawn_people", detector_params()))
    assert rates["anomaly_rate_target"] == 1 and rates["anomaly_rate"] == {"target_prompt": 1.0, "held_out_prompt": 1.0}
    assert rates["anomaly_kinds"]["missing_head"] == 1 and rates["anomaly_kinds"]["extra_leg"] == 0
    assert per_image["anomalous"].tolist() == [1] * 16 and provenance == {"detector": "drawn_people"}


def test_the_comparison_and_the_verdict_carry_the_reason(unseen: Path) -> None:
    effects = compare.anomaly_effects(SETTINGS)
    assert {(effect.base, effect.delta, effect.p) for effect in effects.values()} == {(None, None, None)}
    figures = {name: effect.as_dict() for name, effect in effects.items()}
    verdict = decide(figures, {"copy_rate": 0.0}, Thresholds(0.3, 0.15, 0.05, 0.7, 0.1))
    assert verdict.verdict == "inconclusive"
    assert "nobody looked" in verdict.clauses["target_drop"].sentence


def test_the_agreement_leaves_the_measure_out(unseen: Path) -> None:
    for model in ("base", "tuned"):
        folder = unseen / "data" / "samples" / model
        folder.mkdir(parents=True)
        rows = samples().to_dict("records")
        (folder / "metadata.jsonl").write_text("".join(json.dumps(row | {"text": "somebody"}) + "\n" for row in rows))
        for row in rows:
            (folder / row["file_name"]).write_bytes(b"")
        features = {"samples": np.eye(16, 4, dtype=np.float32) + 1, "instances": np.eye(4, dtype=np.float32)}
        (unseen / "data" / "features" / model).mkdir(parents=True)
        save_file(features, unseen / "data" / "features" / model / "features.safetensors")
    found = agreement.measures()
    assert found["measure_anatomy"].empty and len(found["measure_nearest_instance"]) == SEEDS


def test_a_caution_is_repeated_in_the_comparison(unseen: Path) -> None:
    said = {"detector": "photographs", "detector_caution": CAUTION}
    with_caution = compare.with_caution({"anomaly_rate_target": {}, "anomaly_rate_held_out": {}, "diversity": {}}, said)
    assert "photographs tells whether people" in with_caution["anomaly_rate_target"]["caution"]
    assert with_caution["diversity"] == {}
    assert compare.with_caution({"anomaly_rate_target": {}}, {"detector": "drawn_people"}) == {
        "anomaly_rate_target": {}
    }
