"""The committed tables of how often the verdict is right: complete, as promised, and those of today's code."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from studies.experiments import looks, operating_characteristics
from studies.experiments.truths import DESIGNS, GOOD, TRUTHS, WITH_LOOKS, Design

FIXED, LOOKS = pd.read_csv(operating_characteristics.TABLE), pd.read_csv(looks.TABLE)
PARTLY = Design(2, 128, 7, 64)
"""A design by which some of the clearly good corrections are found."""
NAMES = [truth.name for truth in TRUTHS]


def cell(table: pd.DataFrame, design: Design, truth: str) -> pd.Series:
    (row,) = (each for _, each in table[(table["design"] == str(design)) & (table["truth"] == truth)].iterrows())
    return row


def test_every_truth_is_there_for_every_design_and_for_the_one_with_looks() -> None:
    for table, designs in ((FIXED, DESIGNS), (LOOKS, (WITH_LOOKS,))):
        for design in designs:
            assert list(table.loc[table["design"] == str(design), "truth"]) == NAMES


@pytest.mark.parametrize("table", [FIXED, LOOKS], ids=["one look", "looks"])
def test_the_verdict_errs_as_rarely_as_it_says(table: pd.DataFrame) -> None:
    """5%, with what simulations of that number may add."""
    beyond, within = table[table["truth_ok"] != "yes"], table[table["truth_ok"] == "yes"]
    assert beyond["corrected"].max() <= 0.055
    assert within["not_corrected"].max() <= 0.05
    assert (table.loc[table["truth_ok"] == "limit", "simulations"] >= 10_000).all()
    assert (table["simulations"] >= 2_000).all()


def test_a_clearly_good_correction_is_mostly_found() -> None:
    assert cell(FIXED, DESIGNS[0], GOOD.name)["corrected"] >= 0.93
    assert cell(LOOKS, WITH_LOOKS, GOOD.name)["corrected"] >= 0.93


@pytest.mark.parametrize(("truth", "most"), [(GOOD.name, 0.6), ("nothing changed", 0.3)])
def test_looks_save_images_where_the_answer_is_clear(truth: str, most: float) -> None:
    assert cell(LOOKS, WITH_LOOKS, truth)["mean_images"] <= most * WITH_LOOKS.images


def test_todays_code_gives_the_tables_shares() -> None:
    """To four standard errors; the simulation has a seed."""
    found = operating_characteristics.simulate(GOOD, PARTLY, 150)["corrected"] / 150
    told = cell(FIXED, PARTLY, GOOD.name)["corrected"]
    assert 0.5 < told < 0.95 and abs(found - told) <= 4 * math.sqrt(told * (1 - told) / 150)
