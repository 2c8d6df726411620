"""The comparison of methods: its settings are valid, and its page says what is in its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from anomend.params.profiles import resolve
from anomend.verdict.decision import reach_verdict
from studies.experiments.method_settings import METHODS
from studies.experiments.methods import TABLE, bounds_of
from studies.experiments.methods_page import FOLDER, page, write_page
from tests.conftest import ROOT
from tests.parameters import PROFILES
from tests.verdict.made import THRESHOLDS, change, compare, measured

ROW = {
    "target_base": 0.8,
    "new_kinds": 0.01,
    "new_kinds_upper": 0.03,
    "held_out_rise": -0.01,
    "held_out_upper": 0.012,
    "diversity_right": 0.95,
    "diversity_right_low": 0.9,
    "copies": 0.0,
    "instance_images": 47,
    "labels": 0,
    "seconds_sample": 170.0,
    "images": 850,
    "target_images": 320,
    "held_out_images": 640,
}


def nested(settings: list[str]) -> dict[str, Any]:
    """`a.b=c` of each setting, as params.yaml has it."""
    values: dict[str, Any] = {"profile": "mini"}
    for setting in settings:
        path, value = setting.split("=", 1)
        *sections, key = path.split(".")
        section = values
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = yaml.safe_load(value)
    return values


@pytest.mark.parametrize("name", METHODS)
def test_each_method_is_a_valid_setting_at_seeds_that_nothing_else_uses(name: str, tmp_path: Path) -> None:
    method = METHODS[name]
    # What draws and labels images is left to the run itself.
    made = {"train.labelled.pictures": "pictures", "train.labelled.labels": "labels"} if method.make else {}
    seeds = [f"sample.first_seed={method.first_seed}", *(f"{key}={value}" for key, value in method.seeds)]
    settings = [*seeds, "train.seed=2", *method.settings, *(f"{key}={value}" for key, value in made.items())]
    params = resolve(nested(settings), PROFILES)
    assert params.train.seed == 2
    ranges = params.seed_ranges()
    own = ranges.pop("sample.first_seed")
    assert own.start == method.first_seed and len(own) in (160, 512)
    assert not any(set(own) & set(other) for other in ranges.values())


def test_the_page_has_a_line_per_method_with_the_range_over_its_seeds(tmp_path: Path) -> None:
    runs = [
        ("nft", 0, 0.041, 0.05, 1300.0, "corrected"),
        ("nft", 1, 0.03, 0.04, None, "inconclusive"),
        ("dreambooth", 0, 0.2, 0.25, 90.0, "not_corrected"),
    ]
    names = ("method", "train_seed", "target_tuned", "target_upper", "seconds_train", "verdict")
    rows = [ROW | {"worst_prompt": run[2]} | dict(zip(names, run, strict=True)) for run in runs]
    write_page(pd.DataFrame(rows), tmp_path)
    lines = [line for line in (tmp_path / "methods.md").read_text().splitlines() if line.startswith("| `")]
    assert len(lines) == 2
    assert "| `nft` | 2 | 320 | 640 | 3.00 to 4.10 | 4.00 to 5.00 | 3.00 to 4.10 |" in lines[0]
    assert lines[0].endswith("| 1300 | 0.20 | 1 corrected, 1 inconclusive |")
    assert "| `dreambooth` | 1 | 320 | 640 | 20.00 | 25.00 |" in lines[1]
    assert "dreambooth" in (tmp_path / "methods.svg").read_text()


def test_the_committed_page_is_that_of_the_committed_table_and_of_the_methods_in_force() -> None:
    assert (ROOT / FOLDER / "methods.md").read_text() == page(pd.read_csv(ROOT / TABLE))


def test_a_bound_is_the_truth_at_worst_also_where_the_clause_fails() -> None:
    from statsmodels.stats.proportion import proportion_confint

    found = compare(anomaly_rate_target=change({"grass": (130, 70, 20, 36)}))
    clause = reach_verdict(found, measured(), THRESHOLDS).clauses["target_rate"]
    assert clause.passed is False and clause.bound is not None and clause.bound < 150 / 256
    high = proportion_confint(150, 256, alpha=0.1, method="beta")[1]
    assert bounds_of(found, measured(), THRESHOLDS)["target_rate"] == pytest.approx(high, abs=1e-9)
