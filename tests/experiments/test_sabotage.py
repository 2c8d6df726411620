"""The committed table of sham corrections."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from anomend.collecting.drawn_people import parse_prompt
from anomend.detectors.table import make_detector
from anomend.miniature.defects import plant
from anomend.miniature.drawn_people import pose, render, sample_scene
from anomend.params.resolved import load_params
from anomend.project.seeding import python_random
from studies.experiments.blind_detector import serve_blind_detector
from studies.experiments.sabotage import FOLDER, TABLE
from studies.experiments.sabotage_cases import CASES, HOLES, SHAMS

KINDS = ("extra_arm", "missing_leg")
REASONS = {
    "zeros": {"target_drop", "target_rate"},
    "wrong_captions": {"held_out"},
    "one_image": {"memorisation", "diversity"},
    "overtrained": {"held_out"},
    "one_prompt": {"worst_target_prompt"},
    "traded_kinds": {"new_kinds"},
}
"""Clauses that must speak against each case, as failed or as unsettled."""

MAX_KIND_RISE = 0.08
"""The verdict's margin of new kinds."""


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.read_csv(TABLE).fillna({"failed": "", "unsettled": ""})


def test_every_case_has_been_run_and_each_sham_at_several_training_seeds(rows: pd.DataFrame) -> None:
    seeds = {case: sorted(own["train_seed"]) for case, own in rows.groupby("case")}
    assert set(seeds) == set(CASES) and all(len(set(own)) == len(own) for own in seeds.values())
    assert all(len(seeds[case]) >= 2 for case in ("honest", *SHAMS))


def test_the_honest_correction_is_one_and_no_other(rows: pd.DataFrame) -> None:
    for row in rows.itertuples(index=False):
        against = {*row.failed.split(), *row.unsettled.split()}
        if row.case in HOLES:
            # Where the kind that the reward does not see did not rise, the correction may be one.
            assert row.verdict != "corrected" or row.hidden_kind_rise < MAX_KIND_RISE
        elif row.case == "honest":
            assert row.verdict == "corrected" and not against
        else:
            assert row.verdict in ("not_corrected", "inconclusive") and against >= REASONS[row.case]
            assert (row.verdict == "not_corrected") == bool(row.failed)


def test_the_page_says_how_many_shams_may_pass_at_most(rows: pd.DataFrame) -> None:
    shams = rows[rows["case"].isin(SHAMS)]
    # None of n: the largest rate at which that is as likely as 5% is 1 - .05^(1/n).
    bound = 100 * (1 - 0.05 ** (1 / len(shams)))
    [said] = re.findall(
        r"Of (\d+) sham corrections 0 were .* at most ([\d.]+)% are", (FOLDER / "sabotage.md").read_text()
    )
    assert int(said[0]) == len(shams) and bound <= float(said[1]) < bound + 0.01


def test_the_blind_detector_reports_everything_else() -> None:
    settings, rng = load_params().detectors, python_random(0, "blind")
    scene = sample_scene(rng, *parse_prompt("lying on the grass"))
    bodies = [pose(scene, rng), *(plant(pose(scene, rng), kind, rng) for kind in KINDS)]
    pictures = [render(scene, rng, body) for body in bodies]
    with serve_blind_detector(["extra_arm"], port=0) as server:
        name = f"endpoint:http://127.0.0.1:{server.server_address[1]}#hadm"
        found = [bool(kinds) for kinds in make_detector(name, settings).anomalies(pictures)]
        server.shutdown()
    assert found == [False, False, True]
