"""The paper's tables next to a run, held against what the paper prints."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from anomend.reporting.paper_tables import preference_table, replication_table, vote_table
from tests.conftest import ROOT

REPLICATION = json.loads((ROOT / "metrics" / "replication.json").read_text())


def test_table_1_is_next_to_this_run() -> None:
    replication: dict[str, Any] = {
        "published": {"psnr": {"tuned": 23.2820, "base": 23.1765}, "fid": {"tuned": 266.5844, "base": 366.9462}},
        "reproduced": {"fid": {"tuned": None, "base": None, "reason": "no Inception weights"}},
        "corrected": {"psnr": {"tuned": 8.0395, "base": 8.4720, "p": 0.0708, "meaning": "in floats"}},
    }
    kernels = {"kernel_clip": {"tuned": 0.1, "base": 0.2, "p": 0.03}, "kernel_x": {"tuned": 0.3, "base": 0.4}}
    replication["distances"] = kernels
    measured = {"kernel_x": 0.5, "psnr_within": 9.1, "frechet_clip": None, "frechet_clip_reason": "too few"}
    measured |= {"frechet_warning": "biased"}
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
    assert "Kernel distance (clip)" not in rows  # Not by this run's extractor.
    assert rows["Kernel distance (x)"][2:] == ("tuned 0.3000, base 0.4000", "tuned 0.5000, base 0.5000")
    assert "PSNR: in floats." in table.note
    held_out = {"ssim_within": None, "reason": "one image", "ssim_within_held_out": 0.4}
    rows = {row[0]: row[4] for row in replication_table(replication, held_out, held_out).rows}
    assert rows["SSIM"] == "n/a (one image); SSIM within the set"
    inception = measured | {"inception": {"fid": 12.5}}
    rows = {row[0]: row[4] for row in replication_table(replication, inception, inception).rows}
    assert rows["FID"] == "tuned 12.50, base 12.50; fid (inception)"


def test_the_committed_replication_of_the_paper_is_shown() -> None:
    rows = {row[0]: row[1:] for row in replication_table(REPLICATION, {}, {}).rows}
    assert rows["SSIM"][0] == "tuned 0.2258, base 0.1387"
    assert rows["PSNR"][2].startswith("tuned 8.040, base 8.472")
    assert rows["FID"][0] == "tuned 266.6, base 366.9"


def test_table_2_counts_the_published_votes() -> None:
    table = vote_table(REPLICATION)
    assert table is not None
    votes = pd.read_csv(ROOT / "data" / "paper" / "table2.csv")
    tuned = votes[votes["choice"] == "left"].groupby("prompt").size()
    assert [row[1] for row in table.rows] == [*(f"{count} of 10" for count in tuned), "94 of 100"]
    assert "always on the left" in table.note
    assert vote_table({}) is None


def test_preferences_of_the_paper_and_of_this_run() -> None:
    published = pd.read_csv(ROOT / "data" / "paper" / "judges.csv")
    judge = {"pairs": 32, "win_rate_tuned": 0.75, "ci_low": 0.6, "ci_high": 0.9}
    judges = {
        "anthropic": judge | {"provider": "anthropic", "model": "a model"},
        "anatomy": judge | {"provider": "anatomy", "model": "a checker"},
        "provenance": {"n": 32},
    }
    table = preference_table(replication=REPLICATION, paper_judges=published, judges=judges, survey=None)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["People"] == ("94.0% of 100 votes (interval 81.0 to 100.0%)", "n/a (no survey in this run)")
    # "ChatGPT 4.0 evaluated all images ... as more natural when produced by the untuned model", Claude "all but one".
    assert rows["GPT-4o"] == ("0.0% of 10 pairs", "n/a (not asked in this run)")
    assert rows["Claude 3.5 Sonnet"] == ("10.0% of 10 pairs", "75.0% of 32 pairs (interval 60.0 to 90.0%), by a model")
    assert rows["Judge anatomy"][0] == "n/a (not in the paper)" and "provenance" not in str(rows)
