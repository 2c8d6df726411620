"""The bill's lines and sums."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomend.pipeline.bill import in_words, kept_shares, make_bill, summary, table, total_seconds
from anomend.pipeline.costs import read_published
from anomend.pipeline.work import work_of
from anomend.project.paths import COSTS
from tests.conftest import ROOT
from tests.parameters import NAMES, params_of, user_params

PUBLISHED = read_published(ROOT / COSTS)
MEDIUM = params_of(user_params() | {"profile": "sd35-medium"})


def test_the_bill_of_a_real_base_without_any_record() -> None:
    bill = make_bill(MEDIUM, kept={}, records=[], published=PUBLISHED, usd={"judge": 1.5})
    lines = [line.split() for line in table(bill)]
    rows = {line[0]: line for line in lines}
    assert rows["class_images"][1:7] == ["60", "to", "240", "40", "4,800", "to"]
    assert rows["sample_base"][1:6] == ["704", "40", "56,320", "1.1", "GB"]
    assert "$1.50" in rows["judge"] and "$1.50" in lines[-1]
    assert lines[-1][:3] == ["in", "all", "1,552"]
    # 60 class images, 84 while training and 1,408 samples of 80 evaluations, 640 draws, and 8,000 trained images.
    assert lines[-1][4] == f"{(60 + 84 + 1408) * 80 + 640 + 8000:,}"
    times, unknown = total_seconds(bill)
    forward, trained = 0.529 / 3 / 2, 0.721 / 3
    assert abs(times["H100"] - ((60 + 84 + 1408) * 80 + 640) * forward - 8000 * trained) < 1
    assert unknown == ["encode", "measure@base", "measure@tuned"]
    assert "3.6 h on H100, 8.1 h on L40S" in summary(bill) and "1,408 samples" in summary(bill)


@pytest.mark.parametrize("profile", [name for name in NAMES if name != "mini"])
def test_readme_quotes_the_hours_of_each_real_profile(profile: str) -> None:
    params = params_of(user_params() | {"profile": profile})
    times, _ = total_seconds(make_bill(params, kept={}, records=[], published=PUBLISHED))
    images = 2 * work_of(params)["sample_base"].images
    row = f"| `{profile}` | {images:,} | {times['H100'] / 3600:.1f} | {times['L40S'] / 3600:.1f} |"
    assert row in (ROOT / "README.md").read_text().splitlines()


def test_only_stages_that_would_run_are_billed() -> None:
    bill = make_bill(MEDIUM, kept={}, records=[], published=PUBLISHED, stages={"sample_tuned", "verdict"})
    assert [line.work.stage for line in bill] == ["sample_tuned"]


def test_times_are_said_in_units_that_a_reader_can_use() -> None:
    assert in_words({"here": 89.6}) == "90 s"
    assert in_words({"here": 600.0, "H100": 7200.0}) == "10 min, 2.0 h on H100"


def test_the_share_that_was_kept_last_time_counts_for_the_same_base_and_detector(tmp_path: Path) -> None:
    params = params_of(user_params())
    content = {"images": 128, "sampled": 160, "provenance": {"base": "mini", "detector": "drawn_people"}}
    (tmp_path / "class_images.json").write_text(json.dumps(content))
    (tmp_path / "losers.json").write_text(json.dumps(content | {"images": 0, "sampled": 0}))
    assert kept_shares(tmp_path, params) == {"class_images": 0.8}
    assert kept_shares(tmp_path, MEDIUM) == {}
    # The base's instance images are counted by source, and those that the detector rejected by reason.
    own = {"images": 53, "sources": {"base": 48, "folder": 5}, "left_out": {"anomalous": 144, "caption": 2}}
    (tmp_path / "collect.json").write_text(json.dumps(own | {"provenance": content["provenance"]}))
    assert kept_shares(tmp_path, params) == {"class_images": 0.8, "collect": 0.25}
    (tmp_path / "collect.json").write_text(json.dumps(own | {"provenance": {"source": "folder"}}))
    expected = make_bill(params, kept=kept_shares(tmp_path, params), records=[], published=[])[1].work
    # 40 images per prompt for 32 wanted ones, in blocks of 16.
    assert expected.images == 5 * 48
