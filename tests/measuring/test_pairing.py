import math

import pandas as pd
import pytest

from anomend.measuring.pairing import pair_by_prompt_and_seed


def table(rows: list[tuple[str, int, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["prompt", "seed", "value"]).assign(group="target")


def test_pairs_by_prompt_and_seed_in_any_order() -> None:
    base = table([("a", 0, 1.0), ("a", 1, 2.0), ("b", 0, 3.0)])
    tuned = table([("b", 0, 30.0), ("a", 1, 20.0), ("a", 0, 10.0)])
    pairs = pair_by_prompt_and_seed(base, tuned, "value")
    assert list(pairs["tuned"] / pairs["base"]) == [10, 10, 10]


def test_what_cannot_be_paired_is_named() -> None:
    base = table([("a", 0, 1.0), ("a", 1, 2.0)])
    with pytest.raises(ValueError, match="'a' with seed 1 is among the base samples only"):
        pair_by_prompt_and_seed(base, base[:1], "value")
    with pytest.raises(ValueError, match="seed 0 twice"):
        pair_by_prompt_and_seed(base, table([("a", 0, 1.0), ("a", 0, 2.0)]), "value")


def test_no_rows_are_no_pairs() -> None:
    pairs = pair_by_prompt_and_seed(table([]), table([]), "value")
    assert list(pairs.columns) == ["group", "prompt", "seed", "base", "tuned"] and pairs.empty
    with pytest.raises(ValueError, match="among the tuned samples only"):
        pair_by_prompt_and_seed(table([]), table([("a", 0, 1.0)]), "value")


def test_one_row_is_one_pair() -> None:
    pairs = pair_by_prompt_and_seed(table([("a", 7, 1.0)]), table([("a", 7, 2.0)]), "value")
    assert pairs.to_dict("records") == [{"group": "target", "prompt": "a", "seed": 7, "base": 1.0, "tuned": 2.0}]


def test_a_missing_value_or_column_is_named() -> None:
    base, tuned = table([("a", 0, 1.0)]), table([("a", 0, math.nan)])
    with pytest.raises(ValueError, match="the tuned samples have no value for 'a' with seed 0"):
        pair_by_prompt_and_seed(base, tuned, "value")
    for missing in ("value", "seed", "group"):
        with pytest.raises(ValueError, match=f"the base samples have no column {missing}"):
            pair_by_prompt_and_seed(base.drop(columns=missing), base, "value")


def test_a_value_that_may_be_missing_is_kept_as_missing() -> None:
    base, tuned = table([("a", 0, 1.0), ("a", 1, 2.0)]), table([("a", 1, 3.0), ("a", 0, math.nan)])
    pairs = pair_by_prompt_and_seed(base, tuned, "value", missing=True)
    assert pairs["tuned"].isna().tolist() == [True, False] and pairs["base"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="seed 1 is among the base samples only"):
        pair_by_prompt_and_seed(base, tuned[1:], "value", missing=True)
