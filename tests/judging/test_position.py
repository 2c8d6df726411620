"""When the position of an image decides more than the images do."""

from __future__ import annotations

from typing import Any

import pytest

from anomend.judging.analysis import analyse
from anomend.judging.position import position_caution
from anomend.judging.protocol import JudgeAnswer, Order
from anomend.judging.verdicts import PairVerdict
from anomend.project.seeding import numpy_generator


def judged(share_by_position: float, pairs: int = 60) -> dict[str, Any]:
    """A judge that takes the first image in this share of its answers, and else the tuned one in 70 of 100."""
    rng, answers = numpy_generator(2, "position", int(100 * share_by_position)), []
    orders: tuple[Order, Order] = ("base_first", "tuned_first")
    for pair in range(pairs):
        for order in orders:
            tuned, base = ("A", "B") if order == "tuned_first" else ("B", "A")
            by_image = tuned if rng.random() < 0.7 else base
            choice = "A" if rng.random() < share_by_position else by_image
            fields = dict.fromkeys(PairVerdict.model_fields, None) | {"overall": choice, "reason": ""}
            answers.append(
                JudgeAnswer(
                    provider="test",
                    model="test",
                    prompt="p",
                    seed=pair,
                    order=order,
                    repeat=0,
                    name_a="a",
                    name_b="b",
                    verdict=PairVerdict.model_validate(fields),
                    unparsed=None,
                    raw="",
                    details={},
                )
            )
    return analyse(answers, seed=0, resamples=500)


@pytest.mark.parametrize(("share", "cautioned"), [(0.0, False), (0.3, False), (0.75, True), (1.0, True)])
def test_a_judge_is_cautioned_once_more_than_half_of_its_answers_go_by_the_position(
    share: float, cautioned: bool
) -> None:
    metrics = judged(share)
    # Half of the other answers name the first image too.
    assert metrics["first_position_rate"] == pytest.approx(share + (1 - share) / 2, abs=0.12)
    assert ("caution" in metrics) == cautioned


def test_a_preference_for_the_second_image_is_one_too_and_few_pairs_are_not_enough() -> None:
    rates = {"first_position_rate": 0.1, "first_ci_low": 0.02, "first_ci_high": 0.2, "consistency": 0.2}
    assert "names the second image in 90% of its decided answers" in (position_caution(rates) or "")
    assert "both orders agree in 20% of the pairs" in (position_caution(rates) or "")
    assert position_caution(rates | {"first_ci_high": 0.55}) is None
    assert position_caution(dict.fromkeys(rates)) is None
