"""The analysis of judges' answers, with judges whose answers are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from anomend.judging.analysis import analyse, pooled
from anomend.judging.anatomy_judge import AnatomyJudge
from anomend.judging.protocol import Answer, Order, PairVerdict, ask, questions
from anomend.project.seeding import numpy_generator
from tests.judging.known_judges import AlwaysFirst, Mumbling, Noisy


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


def simulated(seed: int, pairs: int = 40, repeats: int = 3) -> list[Answer]:
    """A judge that prefers the tuned image in 60 of 100 answers and the first one in 70 of 100.

    It takes the tuned image with probability .6 + .2 where that comes first, and .6 - .2 where it comes second.
    """
    rng = numpy_generator(seed, "simulated judge")
    answers = []
    for pair in range(pairs):
        chances: dict[Order, float] = {"tuned_first": 0.8, "base_first": 0.4}
        for order, chance in chances.items():
            for repeat in range(repeats):
                tuned, base = ("A", "B") if order == "tuned_first" else ("B", "A")
                verdict = PairVerdict(
                    overall=tuned if rng.random() < chance else base,
                    anatomy=tuned,
                    physical_plausibility=None,
                    lighting="tie",
                    prompt=base,
                    reason="drawn",
                )
                answers.append(
                    Answer(
                        provider="test",
                        model="simulated",
                        prompt=f"prompt {pair % 2}",
                        seed=pair,
                        order=order,
                        repeat=repeat,
                        name_a="a",
                        name_b="b",
                        verdict=verdict,
                        unparsed=None,
                        raw="",
                        details={},
                    )
                )
    return answers


def test_position_bias_and_preference_are_recovered_in_90_of_100_simulations() -> None:
    preference, position = 0, 0
    for seed in range(100):
        figures = analyse(simulated(seed), seed=0, resamples=1000)
        preference += figures["ci_low"] <= 0.6 <= figures["ci_high"]
        position += figures["first_ci_low"] <= 0.7 <= figures["first_ci_high"]
    assert preference >= 90 and position >= 90
    # And not because they are too wide to say anything.
    assert figures["ci_high"] - figures["ci_low"] < 0.25 and figures["first_ci_high"] - figures["first_ci_low"] < 0.25


def half_mute(answers: list[Answer], seed: int) -> list[Answer]:
    """Half of the answers to the base image in front are refused."""
    rng = numpy_generator(seed, "half mute")
    refused = {"verdict": None, "unparsed": "refused"}
    return [
        answer if answer.order == "tuned_first" or rng.random() < 0.5 else answer.model_copy(update=refused)
        for answer in answers
    ]


def test_both_are_recovered_where_answers_of_one_order_are_missing() -> None:
    preference, position = 0, 0
    for seed in range(100):
        figures = analyse(half_mute(simulated(seed), seed), seed=0, resamples=1000)
        preference += figures["ci_low"] <= 0.6 <= figures["ci_high"]
        position += figures["first_ci_low"] <= 0.7 <= figures["first_ci_high"]
    assert preference >= 90 and position >= 90


def test_a_preference_is_no_liking_for_a_place_however_many_answers_are_missing(flat: pd.DataFrame) -> None:
    judge = AnatomyJudge(lambda image: ["missing_arm"] if image[0, 0, 0] > 99 else [])
    answers = half_mute(list(ask(judge, questions(flat, 2))), seed=3)
    # It takes the tuned image always: pooled, two of three answers would be for the first place.
    figures = analyse(answers, seed=0, resamples=500)
    assert [figures[name] for name in ("first_position_rate", "first_ci_low", "first_ci_high")] == [0.5, 0.5, 0.5]
    tied = analyse(list(ask(AnatomyJudge(lambda image: []), questions(flat, 1))), seed=0, resamples=500)
    assert tied["first_position_rate"] is None and tied["ties"] == 80 and "no first-position rate" in tied["reason"]
    one_order = [answer for answer in answers if answer.order == "tuned_first"]
    figures = analyse(one_order, seed=0, resamples=500)
    assert figures["first_position_rate"] is None and figures["first_ci_low"] is None
    assert "in both orders" in figures["reason"] and "no first-position rate" in figures["reason"]


def test_criteria_and_repeats() -> None:
    figures = analyse(simulated(1), seed=0, resamples=100)
    assert figures["criteria"] == {"anatomy": 1.0, "physical_plausibility": None, "lighting": 0.5, "prompt": 0.0}
    # Three answers of one order are alike with probability p^3 + (1 - p)^3: .52 at .8 and .28 at .4.
    assert figures["repeat_stability"] == pytest.approx(0.4, abs=0.15)
    assert analyse(simulated(1, repeats=1), seed=0, resamples=100)["repeat_stability"] is None


def test_pooled_judges_are_the_mean_of_their_scores() -> None:
    index = pd.MultiIndex.from_tuples([("a", seed) for seed in range(6)], names=["prompt", "seed"])
    first = pd.Series([1.0, 1, 1, 0, 0.5, 1], index)
    second = pd.Series([1.0, 0, 1, 0, 0.5], index[:5])
    figures = pooled({"x": first, "y": second}, seed=0, resamples=500)
    assert figures["pairs"] == 5 and figures["win_rate_tuned"] == pytest.approx((1 + 0.5 + 1 + 0 + 0.5) / 5)
    assert pooled({"x": first[:2], "y": second}, seed=0)["ci_low"] is None
