"""Which labels count: a table worked by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from anomend.labelling.counting import RaterRules, counted_labels, excluded_raters, label_metrics
from anomend.labelling.records import no_labels

RULES = RaterRules(max_failed_gold=1, min_median_ms=500)
DESIGN = pd.DataFrame({"picture": ["a", "b", "c", "d"], "showings": 2})


def labels(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Rater, picture, answer, showing, gold, milliseconds."""
    table = pd.DataFrame(rows, columns=["rater", "picture", "answer", "showing", "gold", "milliseconds"])
    return table.assign(kinds="", places="", texts="en-1", milliseconds=table["milliseconds"].astype(float))


BOTH = labels(
    ("good", "a", "wrong", 0, "", 2000),
    ("good", "b", "nothing", 0, "", 3000),
    ("good", "c", "unsure", 0, "", 4000),
    ("good", "a", "wrong", 1, "", 900),
    ("good", "b", "wrong", 1, "", 900),
    ("good", "g", "nothing", 0, "wrong", 2000),  # One failed gold picture is allowed.
    ("other", "a", "nothing", 0, "", None),  # Without times nobody is too fast.
    ("other", "z", "wrong", 0, "", None),  # A picture of an earlier LoRA.
    ("fast", "a", "wrong", 0, "", 1),
    ("fast", "b", "wrong", 0, "", 1),
    ("careless", "a", "nothing", 0, "", 2000),
    ("careless", "g", "nothing", 0, "wrong", 2000),
    ("careless", "h", "unsure", 0, "nothing", 2000),
)


def test_who_is_excluded_and_why() -> None:
    out = excluded_raters(BOTH, RULES)
    assert out.to_dict("index") == {
        "careless": {"gold": True, "speed": False},
        "fast": {"gold": False, "speed": True},
    }


def test_what_counts() -> None:
    counted = counted_labels(BOTH, DESIGN, RULES)
    assert list(zip(counted["rater"], counted["picture"], strict=True)) == [
        ("good", "a"),
        ("good", "b"),
        ("good", "c"),
        ("other", "a"),
    ]


def test_the_metrics() -> None:
    metrics = label_metrics(BOTH, DESIGN, RULES)
    assert metrics == {
        "n": 2,
        "excluded": 2,
        "excluded_by_gold": 1,
        "excluded_by_speed": 1,
        "on_other_pictures": 1,
        "pictures": 4,
        "labelled": 3,
        "complete": 1,
        "labels": 4,
        "nothing": 2,
        "unsure": 1,
        "wrong": 1,
        "gold": 3,
        "repeats": 2,
        "repeat_consistency": 0.5,
        "median_ms": 3000.0,
    }


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (no_labels(), "no labels yet"),
        (BOTH[BOTH["rater"] == "fast"], "every rater is excluded"),
        (BOTH[BOTH["picture"] == "z"], "all 1 labels are about other pictures"),
    ],
)
def test_without_labels_that_count_there_is_a_reason(rows: pd.DataFrame, reason: str) -> None:
    metrics = label_metrics(rows, DESIGN, RULES)
    assert metrics["n"] == 0 and metrics["labels"] == 0 and metrics["labelled"] == 0
    assert metrics["repeat_consistency"] is None and metrics["median_ms"] is None
    assert reason in metrics["reason"]
