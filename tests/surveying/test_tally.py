"""The tally against the paper's Table 2, published worked examples, and data whose answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomend.statistics.proportions import wilson_interval
from anomend.surveying.exclusion import ExclusionRules, excluded_participants
from anomend.surveying.repeats import rater_noise
from anomend.surveying.responses import COLUMNS, check_responses, no_responses, read_responses
from anomend.surveying.tally import WHY_NOT, per_pair, tally


def vote(participant: int, pair: int, choice: str, left: str = "tuned", kind: str = "real") -> dict[str, Any]:
    return dict(zip(COLUMNS, (f"p{participant}", f"q{pair}", "a prompt", pair, left, choice, 1200, kind), strict=True))


@pytest.fixture
def table_2() -> pd.DataFrame:
    """Table 2 of the paper: ten participants, ten prompts, the tuned image always on the left."""
    rows = {0: "LRLLLLLLLL", 1: "LRRLRRLLLR"} | dict.fromkeys(range(2, 10), "L" * 10)
    sides = {"L": "left", "R": "right"}
    return pd.DataFrame(
        [vote(person, pair, sides[side]) for pair, line in rows.items() for person, side in enumerate(line)]
    )


def test_no_responses_are_n_0_and_nothing_else() -> None:
    metrics = tally(no_responses(), seed=0)
    assert (metrics["n"], metrics["votes"]) == (0, 0)
    assert all(metrics[name] is None for name in WHY_NOT)
    assert "no responses" in metrics["reason"]


def test_table_2_of_the_paper(table_2: pd.DataFrame) -> None:
    metrics = tally(table_2, seed=0)
    assert (metrics["n"], metrics["votes"]) == (10, 100)
    assert metrics["win_rate_tuned"] == pytest.approx(0.94)
    assert metrics["left_choice_rate"] == pytest.approx(0.94)
    # Nine pairs for the tuned model, one five to five: 2 * 0.5^9.
    assert metrics["p_sign"] == pytest.approx(2 * 0.5**9)
    # By hand: mean agreement of the pairs (0.8 + 4/9 + 8) / 10, by chance 0.94^2 + 0.06^2.
    observed, chance = (0.8 + 4 / 9 + 8) / 10, 0.94**2 + 0.06**2
    assert metrics["fleiss_kappa"] == pytest.approx((observed - chance) / (1 - chance))
    assert "cannot be told apart" in metrics["caution"]
    low, high = wilson_interval(94, 100)
    assert metrics["ci_high"] - metrics["ci_low"] > high - low


def test_pairs_of_table_2(table_2: pd.DataFrame) -> None:
    pairs = per_pair(table_2)
    assert list(pairs["majority"]) == ["tuned", "", *["tuned"] * 8]
    assert list(pairs.loc["q1", ["tuned", "base", "unsure"]]) == [5, 5, 0]
    # Nine of ten is 22 of 1024, ten of ten 2 of 1024; adjusted, the smallest of ten counts ten times.
    assert list(pairs["p_sign"][:3]) == pytest.approx([22 / 1024, 1, 2 / 1024])
    assert list(pairs["p_holm"][:3]) == pytest.approx([44 / 1024, 1, 20 / 1024])
    assert tuple(pairs.loc["q0", ["ci_low", "ci_high"]]) == pytest.approx(wilson_interval(9, 10))


def test_repeats_and_catch_pairs_are_no_votes(table_2: pd.DataFrame) -> None:
    extra = [vote(0, 0, "right", "base", "repeat"), vote(0, 99, "right", "base", "catch")]
    with_extra, without = tally(pd.concat([table_2, pd.DataFrame(extra)]), seed=0), tally(table_2, seed=0)
    changed = {name for name in with_extra if with_extra[name] != without.get(name)}
    assert changed == {"repeats", "repeat_consistency", "rater_noise"}
    assert (with_extra["repeats"], with_extra["repeat_consistency"], with_extra["rater_noise"]) == (1, 1, 0)


def test_sides_are_turned_back_and_unsure_counts_half() -> None:
    rows = [vote(0, 0, "right", "base"), vote(1, 0, "left", "base"), vote(0, 1, "unsure"), vote(1, 1, "left")]
    metrics = tally(pd.DataFrame(rows), seed=0)
    assert metrics["win_rate_tuned"] == (1 + 0 + 0.5 + 1) / 4
    assert metrics["left_choice_rate"] == pytest.approx(2 / 3)
    assert metrics["p_sign"] == 1
    assert "caution" not in metrics


@pytest.mark.parametrize("alike", ["votes on a pair", "votes of a participant"])
def test_the_interval_knows_that_votes_are_not_independent(alike: str) -> None:
    sizes = (10, 20) if alike == "votes on a pair" else (20, 10)
    numbers = [(person, pair) for person in range(sizes[0]) for pair in range(sizes[1])]
    decides = [pair if alike == "votes on a pair" else person for person, pair in numbers]
    rows = [vote(*ids, "left" if number % 2 else "right") for ids, number in zip(numbers, decides, strict=True)]
    metrics = tally(pd.DataFrame(rows), seed=0)
    # The spread is that of 20 coin flips, not of 200 votes.
    half = 1.96 * np.sqrt(0.25 / 20)
    assert metrics["ci_low"] == pytest.approx(0.5 - half, abs=0.04)
    assert metrics["ci_high"] == pytest.approx(0.5 + half, abs=0.04)
    assert (metrics["fleiss_kappa"] > 0.99) == (alike == "votes on a pair")
    assert metrics == tally(pd.DataFrame(rows), seed=0)


def test_raters_who_all_agree_have_an_interval_as_wide_as_their_number() -> None:
    rows = [vote(person, pair, "left", left="tuned") for person in range(8) for pair in range(40)]
    metrics = tally(pd.DataFrame(rows), seed=0)
    # Wilson, 8 of 8: 8 / (8 + 1.96^2).
    assert (metrics["ci_low"], metrics["ci_high"]) == (pytest.approx(0.6756, abs=1e-4), 1)


def test_each_null_has_its_own_reason() -> None:
    metrics = tally(pd.DataFrame([vote(0, 0, "unsure")]), seed=0)
    nulls = [name for name in WHY_NOT if metrics[name] is None]
    assert nulls == [name for name in WHY_NOT if name not in ("win_rate_tuned", "unsure_rate")]
    assert all(metrics[f"{name}_reason"] for name in nulls)


def test_careless_and_hasty_participants_are_left_out(table_2: pd.DataFrame) -> None:
    catches = [
        vote(person, 90 + pair, choice, "tuned", "catch")
        for person, choices in {
            0: ("right", "right"),
            1: ("right", "left"),
            2: ("unsure", "unsure"),
            3: ("left",) * 2,
        }.items()
        for pair, choice in enumerate(choices)
    ]
    responses = pd.concat([table_2, pd.DataFrame(catches)], ignore_index=True)
    responses.loc[responses["participant"].isin(["p2", "p4"]), "reaction_ms"] = 299
    rules = ExclusionRules(max_failed_catches=1, min_median_ms=300)
    broken = excluded_participants(responses, rules)
    assert broken.to_dict("index") == {
        "p0": {"catch": True, "speed": False},
        "p2": {"catch": True, "speed": True},
        "p4": {"catch": False, "speed": True},
    }
    metrics = tally(responses, seed=0, rules=rules)
    counts = {name: metrics[name] for name in ("n", "votes", "excluded", "excluded_by_catch", "excluded_by_speed")}
    assert counts == {"n": 7, "votes": 70, "excluded": 3, "excluded_by_catch": 2, "excluded_by_speed": 2}
    assert metrics["win_rate_tuned"] == pytest.approx((70 - 1 - 3) / 70)


def test_when_everybody_is_left_out_the_reason_says_so(table_2: pd.DataFrame) -> None:
    metrics = tally(table_2, seed=0, rules=ExclusionRules(max_failed_catches=0, min_median_ms=5000))
    assert (metrics["n"], metrics["excluded_by_speed"], metrics["reason"]) == (0, 10, "everybody is excluded")
    assert all(metrics[name] is None for name in WHY_NOT)


def test_unknown_reaction_times_exclude_no_participant(table_2: pd.DataFrame) -> None:
    unknown = table_2.assign(reaction_ms="")
    assert tally(unknown, seed=0, rules=ExclusionRules(max_failed_catches=0, min_median_ms=5000)) == tally(
        table_2, seed=0
    )


def test_repeats_tell_how_steady_raters_are() -> None:
    sides = {"same image": ("left", "right"), "other image": ("left", "left"), "unsure": ("left", "unsure")}
    rows = []
    for person, choices in enumerate([sides["same image"]] * 3 + [sides["other image"]] + [sides["unsure"]]):
        rows += [vote(person, 0, choices[0], "tuned"), vote(person, 0, choices[1], "base", "repeat")]
    metrics = tally(pd.DataFrame(rows), seed=0)
    assert (metrics["repeats"], metrics["repeat_consistency"]) == (4, 0.75)
    # Two votes that are each turned round with chance e agree with chance (1 - e)^2 + e^2.
    noise = metrics["rater_noise"]
    assert (1 - noise) ** 2 + noise**2 == pytest.approx(0.75) and noise < 0.5
    assert (rater_noise(1), rater_noise(0.5), rater_noise(0.2)) == (0, 0.5, 0.5)


def test_files_are_read_in_order_and_checked(table_2: pd.DataFrame, tmp_path: Path) -> None:
    assert read_responses([]).empty
    for name, part in table_2.groupby("participant"):
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    read = read_responses(tmp_path.glob("*.csv"))
    assert tally(read, seed=0) == tally(table_2, seed=0)
    (tmp_path / "p3.csv").write_text(",".join(COLUMNS) + "\n007,q,x,1,tuned,left,900,maybe\n")
    with pytest.raises(ValueError, match=r"p3\.csv: row 1 has kind = 'maybe'"):
        read_responses(tmp_path.glob("*.csv"))


def test_answers_from_a_spreadsheet_are_read_and_an_empty_file_is_named(tmp_path: Path) -> None:
    lines = [",".join(COLUMNS), "007,q,x,1,tuned,left,900,real"]
    (tmp_path / "p1.csv").write_bytes("\r\n".join(lines).replace(",", "\t").encode("utf-16"))
    assert read_responses(tmp_path.glob("*.csv")).iloc[0]["participant"] == "007"
    (tmp_path / "p2.csv").write_bytes(b"")
    with pytest.raises(ValueError, match=r"p2\.csv has no column 'participant': its first line is participant,pair,"):
        read_responses(tmp_path.glob("*.csv"))


@pytest.mark.parametrize(
    ("column", "value"),
    [("left_model", "left"), ("choice", "LEFT"), ("kind", ""), ("seed", "-1"), ("reaction_ms", "fast")],
)
def test_a_wrong_value_is_named(table_2: pd.DataFrame, column: str, value: str) -> None:
    table = table_2.astype(str)
    table.loc[4, column] = value
    with pytest.raises(ValueError, match=f"row 5 has {column} = '{value}'"):
        check_responses(table)


def test_a_missing_column_and_a_second_answer_are_named(table_2: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="'kind'"):
        check_responses(table_2.drop(columns="kind"))
    with pytest.raises(ValueError, match="'p0' answered the real pair 'q0' twice"):
        check_responses(pd.concat([table_2, table_2.head(1)]))
