"""What `make plan` says about the survey."""

from __future__ import annotations

from typing import Any

import pytest

from anomend.pipeline.participants_needed import pairs_shown, plan_survey, survey_plan
from anomend.statistics.crossed_design import crossed_votes, interval_width
from commands.plan import participants
from tests.parameters import params_of, user_params


def params_with(**survey: Any) -> Any:
    user = user_params()
    user["survey"] |= survey
    return params_of(user)


def test_the_number_said_gives_the_width_asked_for() -> None:
    params = params_with(planning={"share": 0.65, "width": 0.2, "power": 0.9})
    votes = crossed_votes(0.65, sd_rater=0.4, sd_pair=0.8)
    plan = plan_survey(params, votes)
    assert plan.for_width is not None and plan.for_power is not None
    assert interval_width(votes, plan.for_width, pairs_shown(params)) <= 0.2
    lines = survey_plan(params, None)
    assert f"an interval 0.2 wide: {plan.for_width} participants" in lines[1]
    assert f"{plan.for_power} participants" in lines[2] and "an assumption" in lines[3]


def test_where_no_number_is_enough_it_says_how_many_pairs_are() -> None:
    params = params_with(pairs_per_prompt=1, participants=40, planning={"share": 0.65, "width": 0.1, "power": 0.8})
    line = survey_plan(params, None)[1]
    assert "no number of participants is enough with these pairs; with 40 participants it takes" in line
    needed = int(line.rpartition("=")[2])
    enough = params_with(pairs_per_prompt=needed, participants=40)
    votes = crossed_votes(0.65, sd_rater=0.4, sd_pair=0.8)
    assert interval_width(votes, 40, needed * len(enough.prompts.target)) <= 0.1


def test_answers_so_far_say_how_much_raters_and_pairs_differ() -> None:
    known = {"mixed_model": {"sd_participant": 1.5, "sd_pair": 0.2}}
    lines = survey_plan(params_with(), known)
    assert "differ by 1.5 and 0.2" in lines[3] and "the answers so far" in lines[3]
    unknown = {"mixed_model": {"sd_participant": None, "sd_pair": None}}
    assert survey_plan(params_with(), unknown) == survey_plan(params_with(), None) == survey_plan(params_with(), {})


def test_a_share_that_is_not_above_the_limit_is_refused() -> None:
    user = user_params()
    user["verdict"]["min_preference"] = 0.7
    with pytest.raises(ValueError, match=r"survey\.planning\.share = 0\.65 is not above 0\.7"):
        survey_plan(params_of(user), None)


def test_make_plan_tells_where_the_survey_decides() -> None:
    user = user_params()
    assert participants(params_of(user)) == []
    user["verdict"]["min_preference"] = 0.5
    assert len(participants(params_of(user))) == 5
