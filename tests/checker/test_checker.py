"""The study of the checker: what it draws is known, and its table is complete and says what the README says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from anomend.miniature.anatomy import check, check_regions
from anomend.miniature.drawn_people import PART_COLOURS
from studies.checker.drawings import FUSED, KINDS, RIGHT, anomaly_of, draw
from studies.checker.run import ANOMALOUS_PEOPLE, FOLDER, RIGHT_PEOPLE, TABLE, page, score

SEEDS = range(830_000, 830_040)
"""Not those of the committed table."""


def test_right_people_are_right() -> None:
    wrong = [seed for seed in SEEDS if check(draw(RIGHT, seed)).anomalous]
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != RIGHT])
def test_each_kind_of_anomaly_is_found_and_named(kind: str) -> None:
    named = Counter(anomaly_of(kind) in check(draw(kind, seed)).anomalies for seed in SEEDS)
    assert named[True] >= len(SEEDS) - 2


@pytest.mark.parametrize("kind", [kind for kind in FUSED if not kind.startswith("moved")])
def test_fused_limbs_are_few_regions_and_many_ends(kind: str) -> None:
    part = kind.split("_")[1]
    images = [draw(kind, seed) for seed in SEEDS]
    assert np.median([check_regions(image).counts[part] for image in images]) == 2
    assert np.median([check(image).counts[part] for image in images]) == 3


def test_a_drawing_depends_on_kind_and_seed_and_leaves_the_colours_as_they_were() -> None:
    colours = dict(PART_COLOURS)
    first, again, other = draw(RIGHT, 5), draw(RIGHT, 5), draw(RIGHT, 6)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert colours == PART_COLOURS


def test_the_score_counts_what_is_right_for_the_kind() -> None:
    empty = np.full((64, 64, 3), 200, np.uint8)
    rows = score([empty, draw(RIGHT, SEEDS[0])], RIGHT)
    assert [(row["checker"], row["n"], row["correct"], row["named"]) for row in rows] == [
        ("ends", 2, 1, None),
        ("regions", 2, 1, None),
    ]
    (row, _) = score([empty], "missing_head")
    assert (row["correct"], row["named"]) == (1, 1)
    (row, _) = score([empty], "fused_leg")
    assert (row["correct"], row["named"]) == (1, 0)


def test_the_committed_table_is_complete_and_the_page_is_made_from_it() -> None:
    rows = pd.read_csv(TABLE)
    assert set(rows["kind"]) == set(KINDS) and len(rows) == 4 * len(KINDS)
    assert {row.n for row in rows.itertuples() if row.kind == RIGHT} == {RIGHT_PEOPLE}
    assert {row.n for row in rows.itertuples() if row.kind != RIGHT} == {ANOMALOUS_PEOPLE}
    assert (FOLDER / "checker.md").read_text() == page(rows)
