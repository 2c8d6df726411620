"""The analysis of judges' answers, with judges whose answers are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from anomend.judging.analysis import analyse, pooled
from anomend.judging.anatomy_judge import AnatomyJudge
from anomend.judging.protocol import JudgeAnswer, Order, ask, whole_questions
from anomend.judging.verdicts import PairVerdict
from anomend.project.seeding import numpy_generator
from tests.judging.known_judges import AlwaysFirst, Mumbling, Noisy


def test_a_preference_for_the_first_position_cancels_out_and_is_reported(flat: pd.DataFrame) -> None:
    metrics = analyse(list(ask(AlwaysFirst(), whole_questions(flat, 2))), seed=0)
    assert metrics["win_rate_tuned"] == 0.5
    assert metrics["first_position_rate"] == 1
    assert metrics["consistency"] == 0
    assert metrics["ci_low"] is None and "no interval" in metrics["reason"]


def test_a_true_preference_is_recovered(flat: pd.DataFrame) -> None:
    metrics = analyse(list(ask(Noisy(), whole_questions(flat, 3))), seed=0)
    answers = 40 * 3 * 2
    margin = 4 * np.sqrt(0.6 * 0.4 / answers)
    assert metrics["win_rate_tuned"] == pytest.approx(0.6, abs=margin)
    assert metrics["first_position_rate"] == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(answers))
    # Both orders of a repeat agree when both are right or both are wrong.
    assert metrics["consistency"] == pytest.approx(0.6**2 + 0.4**2, abs=4 * 0.5 / np.sqrt(answers / 2))
    # Answers are independent here, so the pairs' bootstrap is as wide as the normal approximation.
    assert metrics["ci_high"] - metrics["ci_low"] == pytest.approx(2 * 1.96 * np.sqrt(0.24 / answers), rel=0.35)


def test_unparsed_replies_are_counted_and_never_guessed(flat: pd.DataFrame) -> None:
    answers = list(ask(Mumbling(), whole_questions(flat, 1)))
    metrics = analyse(answers, seed=0)
    assert metrics["unparsed"] == 40
    assert metrics["pairs"] == 0
    assert metrics["win_rate_tuned"] is None and metrics["consistency"] is None
    assert "both orders" in metrics["reason"]
    silent = next(answer for answer in answers if answer.verdict is None)
    assert silent.raw.startswith("I would say") and silent.unparsed


def test_a_judge_that_always_wins_gets_the_wilson_interval(flat: pd.DataFrame) -> None:
    judge = AnatomyJudge(lambda image: ["missing_arm"] if image[0, 0, 0] > 99 else [])
    metrics = analyse(list(ask(judge, whole_questions(flat.head(10), 1))), seed=0)
    assert metrics["win_rate_tuned"] == 1
    # Wilson's interval at n of n is n / (n + z^2) to 1.
    assert (metrics["ci_low"], metrics["ci_high"]) == (pytest.approx(10 / (10 + 1.959964**2)), pytest.approx(1))


def test_one_judge_and_one_answer_a_question(flat: pd.DataFrame) -> None:
    answers = list(ask(AlwaysFirst(), whole_questions(flat.head(2), 1)))
    with pytest.raises(ValueError, match="twice"):
        analyse([*answers, answers[0]], seed=0)
    with pytest.raises(ValueError, match="one judge"):
        analyse([*answers, *ask(Noisy(), whole_questions(flat.head(1), 1))], seed=0)
    with pytest.raises(ValueError, match="one judge"):
        analyse(list[JudgeAnswer](), seed=0)


def simulated(seed: int, pairs: int = 40, repeats: int = 3) -> list[JudgeAnswer]:
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
                    JudgeAnswer(
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
        metrics = analyse(simulated(seed), seed=0, resamples=1000)
        preference += metrics["ci_low"] <= 0.6 <= metrics["ci_high"]
        position += metrics["first_ci_low"] <= 0.7 <= metrics["first_ci_high"]
    assert preference >= 90 and position >= 90
    # And not because they are too wide to say anything.
    assert metrics["ci_high"] - metrics["ci_low"] < 0.25 and metrics["first_ci_high"] - metrics["first_ci_low"] < 0.25


def half_mute(answers: list[JudgeAnswer], seed: int) -> list[JudgeAnswer]:
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
        metrics = analyse(half_mute(simulated(seed), seed), seed=0, resamples=1000)
        preference += metrics["ci_low"] <= 0.6 <= metrics["ci_high"]
        position += metrics["first_ci_low"] <= 0.7 <= metrics["first_ci_high"]
    assert preference >= 90 and position >= 90


def test_a_preference_for_a_model_is_not_one_for_a_position_however_many_answers_are_missing(
    flat: pd.DataFrame,
) -> None:
    judge = AnatomyJudge(lambda image: ["missing_arm"] if image[0, 0, 0] > 99 else [])
    answers = half_mute(list(ask(judge, whole_questions(flat, 2))), seed=3)
    # It takes the tuned image always: pooled, two of three answers would be for the first position.
    metrics = analyse(answers, seed=0, resamples=500)
    assert [metrics[name] for name in ("first_position_rate", "first_ci_low", "first_ci_high")] == [0.5, 0.5, 0.5]
    tied = analyse(list(ask(AnatomyJudge(lambda image: []), whole_questions(flat, 1))), seed=0, resamples=500)
    assert tied["first_position_rate"] is None and tied["ties"] == 80 and "no first-position rate" in tied["reason"]
    one_order = [answer for answer in answers if answer.order == "tuned_first"]
    metrics = analyse(one_order, seed=0, resamples=500)
    assert metrics["first_position_rate"] is None and metrics["first_ci_low"] is None
    assert "in both orders" in metrics["reason"] and "no first-position rate" in metrics["reason"]


def test_criteria_and_repeats() -> None:
    metrics = analyse(simulated(1), seed=0, resamples=100)
    assert metrics["criteria"] == {"anatomy": 1.0, "physical_plausibility": None, "lighting": 0.5, "prompt": 0.0}
    # Three answers of one order are alike with probability p^3 + (1 - p)^3: .52 at .8 and .28 at .4.
    assert metrics["repeat_stability"] == pytest.approx(0.4, abs=0.15)
    assert analyse(simulated(1, repeats=1), seed=0, resamples=100)["repeat_stability"] is None


def test_pooled_judges_are_the_mean_of_their_scores() -> None:
    index = pd.MultiIndex.from_tuples([("a", seed) for seed in range(6)], names=["prompt", "seed"])
    first = pd.Series([1.0, 1, 1, 0, 0.5, 1], index)
    second = pd.Series([1.0, 0, 1, 0, 0.5], index[:5])
    metrics = pooled({"x": first, "y": second}, seed=0, resamples=500)
    assert metrics["pairs"] == 5 and metrics["win_rate_tuned"] == pytest.approx((1 + 0.5 + 1 + 0 + 0.5) / 5)
    assert pooled({"x": first[:2], "y": second}, seed=0)["ci_low"] is None


@pytest.mark.parametrize("pairs", [6, 12])
def test_the_interval_of_few_pairs_holds_the_true_rate(pairs: int) -> None:
    """Scores of 0, 1/2 and 1 with a mean of .6; with 400 runs the standard error of a share of .95 is .011."""
    rng, held, runs = numpy_generator("few pairs"), 0, 400
    for run in range(runs):
        scores = pd.Series(rng.choice([0.0, 0.5, 1.0], size=pairs, p=[0.25, 0.3, 0.45]))
        found = pooled({"a": scores}, seed=run, resamples=300)
        held += found["ci_low"] is not None and found["ci_low"] <= 0.6 <= found["ci_high"]
    assert held / runs >= 0.92
