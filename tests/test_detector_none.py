"""No detector ran, or one whose anomalies are not proof: what every later stage says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from anomend.agreement.raters import anatomy_scores, nearest_instance_scores
from anomend.comparing.anomalies import anomaly_effects
from anomend.comparing.comparison import with_caution
from anomend.comparing.effects import Resampling
from anomend.detectors.photographs.detector import CAUTION
from anomend.detectors.table import make_detector
from anomend.measuring.anatomy import measure_anatomy
from anomend.verdict.decision import Thresholds, reach_verdict
from tests.detectors.settings import detector_params

HOW: Resampling = {"seed": 0, "resamples": 200, "permutations": 200, "confidence": 0.95}
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


def test_the_comparison_and_the_verdict_carry_the_reason() -> None:
    per_image, rates, _ = measure_anatomy(IMAGES, samples(), NONE)
    effects = anomaly_effects({"base": per_image, "tuned": per_image}, {"base": rates, "tuned": rates}, HOW)
    assert {(effect.base, effect.delta, effect.p) for effect in effects.values()} == {(None, None, None)}
    compared = {name: effect.as_dict() for name, effect in effects.items()}
    verdict = reach_verdict(
        compared,
        {"copy_rate": 0.0},
        Thresholds(
            min_target_drop=0.3, max_target_rate=0.15, held_out_margin=0.05, min_diversity_ratio=0.7, max_copy_rate=0.1
        ),
    )
    assert verdict.outcome == "inconclusive"
    assert "no detector ran" in verdict.clauses["target_drop"].sentence


def test_the_agreement_leaves_the_measure_out() -> None:
    per_image, _, _ = measure_anatomy(IMAGES, samples(), NONE)
    assert anatomy_scores({"base": per_image, "tuned": per_image}).empty
    features = np.eye(16, 4, dtype=np.float32) + 1
    tables, both = dict.fromkeys(("base", "tuned"), samples()), dict.fromkeys(("base", "tuned"), features)
    assert len(nearest_instance_scores(tables, both, np.eye(4, dtype=np.float32))) == SEEDS


def test_what_is_not_proof_is_called_so_in_the_comparison() -> None:
    metrics: dict[str, dict[str, str]] = {"anomaly_rate_target": {}, "diversity": {}}
    cautious = with_caution(metrics, {"detector": "photographs", "detector_caution": CAUTION})
    assert "photographs tells whether people" in cautious["anomaly_rate_target"]["caution"]
