"""The tables of the report, and how figures are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stages.reports.evidence_tables import cost_table, replication_table
from stages.reports.formatting import figure, reasons_once
from stages.reports.inputs import ReportInputs
from stages.reports.tables import compare_table, reading


@pytest.mark.parametrize(
    ("low", "high", "better", "expected"),
    [
        (-0.3, -0.1, "lower", "improved"),
        (0.1, 0.3, "lower", "worse"),
        (0.1, 0.3, "higher", "improved"),
        (-0.3, -0.1, "higher", "worse"),
        (0.1, 0.3, "closer", "changed"),
        (-0.1, 0.3, "higher", "no clear change"),
        (0.0, 0.3, "higher", "no clear change"),
        (None, None, "higher", "not settled"),
    ],
)
def test_reading(low: float | None, high: float | None, better: str, expected: str) -> None:
    assert reading({"ci_low": low, "ci_high": high, "better": better}) == expected


def test_compare_table_has_every_measure_with_n_interval_p_and_direction(inputs: ReportInputs) -> None:
    rows = {row[0]: row[1:] for row in compare_table(inputs.compare).rows}
    assert len(rows) == 5
    assert rows["Anomaly rate, target prompts"] == (
        "80.0%",
        "20.0%",
        "-60.0 points",
        "-70.0 to -50.0 points",
        "0.0003 (0.0015 by Holm, for all tests here)",
        "640 in 10 prompts",
        "improved (lower is better)",
    )
    assert rows["Fréchet distance (efficientnet_lite0)"][5] == "640"
    assert rows["Fréchet distance (efficientnet_lite0)"][0] == "n/a (80 images are fewer than 1280 features)"


def test_table_1_stands_next_to_this_run() -> None:
    replication: dict[str, Any] = {
        "published": {"psnr": {"tuned": 23.2820, "base": 23.1765}, "fid": {"tuned": 266.5844, "base": 366.9462}},
        "reproduced": {"fid": {"tuned": None, "base": None, "reason": "no Inception weights"}},
        "corrected": {"psnr": {"tuned": 8.0395, "base": 8.4720, "p": 0.0708, "meaning": "in floats"}},
    }
    measured = {"frechet_warning": "biased", "psnr_within": 9.1, "frechet_clip": None, "frechet_clip_reason": "too few"}
    table = replication_table(replication, {**measured, "psnr_within": 8.9}, measured)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["PSNR"] == (
        "tuned 23.28, base 23.18",
        "n/a (not computed)",
        "tuned 8.040, base 8.472, p 0.0708",
        "tuned 9.100, base 8.900; PSNR within the set (dB)",
    )
    assert rows["FID"][:2] == ("tuned 266.6, base 366.9", "n/a (no Inception weights)")
    assert rows["FID"][3] == "n/a (too few); Fréchet distance (clip)"
    assert "PSNR: in floats." in table.note


def test_the_committed_replication_of_the_paper_is_shown() -> None:
    path = Path(__file__).parents[2] / "metrics" / "replication.json"
    if not path.exists():
        pytest.skip("metrics/replication.json is not there: run `dvc repro replication/dvc.yaml`")
    rows = {row[0]: row[1:] for row in replication_table(json.loads(path.read_text()), {}, {}).rows}
    assert rows["SSIM"][0] == "tuned 0.2258, base 0.1387"
    assert rows["PSNR"][2].startswith("tuned 8.040, base 8.472")
    assert rows["FID"][0] == "tuned 266.6, base 366.9"


def test_costs(inputs: ReportInputs) -> None:
    resources = {"train": {"seconds": 61.5, "peak_memory_bytes": 2**30}}
    rows = dict(cost_table(inputs.collect, inputs.curate, inputs.train, resources).rows)
    assert rows["Spent on images"] == "0.00 USD"
    assert rows["Stage train"] == "61.50 s, 1024 MiB at most"
    assert rows["Training: stopped early"] == "no"
    assert rows["Training: loss last tenth"] == "n/a (not logged)"
    assert dict(cost_table({"spend_usd": None, "reason": "no bill"}, None, None, None).rows)["Spent on images"] == (
        "n/a (no bill)"
    )


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0, "number", "0.0000"),
        (0.00001234, "number", "0.00001234"),
        (266.5844, "number", "266.6"),
        (123456.7, "number", "123457"),
        (-0.05, "signed", "-0.0500"),
        (0.941, "rate", "94.1%"),
        (0.0123, "points", "+1.2 points"),
        (1234, "count", "1,234"),
        (1e-7, "p", "< 0.0001"),
        (None, "rate", "n/a (no reason given)"),
        (float("nan"), "number", "n/a (no reason given)"),
    ],
)
def test_how_figures_are_written(value: float | None, unit: str, expected: str) -> None:
    assert figure(value, unit) == expected  # type: ignore[arg-type]


def test_a_reason_is_given_once_a_row() -> None:
    assert reasons_once(["1", "n/a (x)", "n/a (x)", "1", "n/a (y)"]) == [
        "1",
        "n/a (x)",
        "n/a (same reason)",
        "1",
        "n/a (y)",
    ]
