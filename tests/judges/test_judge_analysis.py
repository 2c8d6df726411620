"""The analysis of judges' answers, with judges whose answers are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stages.judges.analysis import analyse
from stages.judges.anatomy_judge import AnatomyJudge
from stages.judges.protocol import Answer, ask, questions
from tests.judges.known_judges import AlwaysFirst, Mumbling, Noisy


def test_a_liking_for_the_first_place_cancels_out_and_is_reported(flat: pd.DataFrame) -> None:
    figures = analyse(list(ask(AlwaysFirst(), questions(flat, 2))), seed=0)
    assert figures["win_rate_tuned"] == 0.5
    assert figures["first_position_rate"] == 1
    assert figures["consistency"] == 0
    assert figures["ci_low"] is None and "no interval" in figures["reason"]


def test_a_true_preference_is_recovered(flat: pd.DataFrame) -> None:
    figures = analyse(list(ask(Noisy(), questions(flat, 3))), seed=0)
    answers = 40 * 3 * 2
    margin = 4 * np.sqrt(0.6 * 0.4 / answers)
    assert figures["win_rate_tuned"] == pytest.approx(0.6, abs=margin)
    assert figures["first_position_rate"] == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(answers))
    # Both orders of a repeat agree when both are right or both are wrong.
    assert figures["consistency"] == pytest.approx(0.6**2 + 0.4**2, abs=4 * 0.5 / np.sqrt(answers / 2))
    # Answers are independent here, so the pairs' bootstrap is as wide as the normal approximation.
    assert figures["ci_high"] - figures["ci_low"] == pytest.approx(2 * 1.96 * np.sqrt(0.24 / answers), rel=0.35)


def test_unparsed_replies_are_counted_and_never_guessed(flat: pd.DataFrame) -> None:
    answers = list(ask(Mumbling(), questions(flat, 1)))
    figures = analyse(answers, seed=0)
    assert figures["unparsed"] == 40
    assert figures["pairs"] == 0
    assert figures["win_rate_tuned"] is None and figures["consistency"] is None
    assert "both orders" in figures["reason"]
    silent = next(answer for answer in answers if answer.verdict is None)
    assert silent.raw.startswith("I would say") and silent.unparsed


def test_a_judge_that_always_wins_gets_the_wilson_interval(flat: pd.DataFrame) -> None:
    judge = AnatomyJudge(lambda image: ["missing_arm"] if image[0, 0, 0] > 99 else [])
    figures = analyse(list(ask(judge, questions(flat.head(10), 1))), seed=0)
    assert figures["win_rate_tuned"] == 1
    # Wilson's interval at n of n is n / (n + z^2) to 1.
    assert (figures["ci_low"], figures["ci_high"]) == (pytest.approx(10 / (10 + 1.959964**2)), pytest.approx(1))


def test_one_judge_and_one_answer_a_question(flat: pd.DataFrame) -> None:
    answers = list(ask(AlwaysFirst(), questions(flat.head(2), 1)))
    with pytest.raises(ValueError, match="twice"):
        analyse([*answers, answers[0]], seed=0)
    with pytest.raises(ValueError, match="one judge"):
        analyse([*answers, *ask(Noisy(), questions(flat.head(1), 1))], seed=0)
    with pytest.raises(ValueError, match="one judge"):
        analyse(list[Answer](), seed=0)
