"""The committed table of sham corrections."""

from __future__ import annotations

import pandas as pd
import pytest

from studies.experiments.sabotage import CASES, TABLE

REASONS = {
    "zeros": {"target_drop", "target_rate"},
    "wrong_captions": {"held_out"},
    "one_image": {"memorisation", "diversity"},
    "overtrained": {"held_out"},
    "one_prompt": {"worst_target_prompt"},
    "traded_kinds": {"new_kinds"},
}
"""Clauses that must speak against each case, as failed or as unsettled."""


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return pd.read_csv(TABLE).fillna({"failed": "", "unsettled": ""})


def test_every_case_has_been_run_at_several_training_seeds(rows: pd.DataFrame) -> None:
    seeds = {case: sorted(own["train_seed"]) for case, own in rows.groupby("case")}
    assert set(seeds) == set(CASES) and all(len(set(own)) == len(own) >= 2 for own in seeds.values())


def test_the_honest_correction_is_one_and_no_other(rows: pd.DataFrame) -> None:
    for row in rows.itertuples(index=False):
        against = {*row.failed.split(), *row.unsettled.split()}
        if row.case == "honest":
            assert row.verdict == "corrected" and not against
        else:
            assert row.verdict in ("not_corrected", "inconclusive") and against >= REASONS[row.case]
            assert (row.verdict == "not_corrected") == bool(row.failed)
