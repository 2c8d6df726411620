"""How many participants a survey takes: for an interval of some width, and for power; also without any answers yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomend.params.params import Params
from anomend.statistics.crossed_design import CrossedVotes, crossed_votes, interval_width, power_above, smallest

SD_RATER, SD_PAIR = 0.4, 0.8
"""Assumed standard deviations on the log-odds scale, where no survey tells: raters are much alike, pairs less."""
SECONDS_PER_PAIR = 5
"""Assumed time of an answer."""


@dataclass(frozen=True, kw_only=True)
class SurveyPlan:
    """What a survey takes; None: no number of participants is enough with these pairs."""

    pairs: int
    for_width: int | None
    for_power: int | None
    pairs_for_width: int | None
    """Pairs that would be enough with the planned participants."""
    pairs_for_power: int | None
    planned_width: float
    """Expected width with the planned participants."""
    planned_power: float


def plan_survey(params: Params, votes: CrossedVotes) -> SurveyPlan:
    """What the parameters' survey takes, and what it reaches as it is planned."""
    survey, planning = params.survey, params.survey.planning
    pairs = pairs_shown(params)
    limit, error = limit_of(params), 1 - params.verdict.level
    people = float(max(2, survey.participants))

    def narrow(raters: float, pairs: float) -> float:
        return planning.width - interval_width(votes, raters, pairs)

    def strong(raters: float, pairs: float) -> float:
        return power_above(votes, raters, pairs, limit=limit, error=error) - planning.power

    return SurveyPlan(
        pairs=pairs,
        for_width=smallest(lambda raters: narrow(raters, pairs)),
        for_power=smallest(lambda raters: strong(raters, pairs)),
        pairs_for_width=smallest(lambda number: narrow(people, number)),
        pairs_for_power=smallest(lambda number: strong(people, number)),
        planned_width=interval_width(votes, people, pairs),
        planned_power=power_above(votes, people, pairs, limit=limit, error=error),
    )


def pairs_shown(params: Params) -> int:
    """Pairs that every participant judges."""
    per_prompt = min(params.survey.pairs_per_prompt, params.sample.target_seeds_per_prompt)
    return per_prompt * len(params.prompts.target)


def limit_of(params: Params) -> float:
    """The share of votes that has to be exceeded."""
    least = params.verdict.min_preference
    return 0.5 if least is None else least


def survey_plan(params: Params, earlier: Mapping[str, Any] | None) -> list[str]:
    """What the survey takes, as lines of text.

    Args:
        params: the parameters in force.
        earlier: content of metrics/survey.json, whose spread between raters and pairs is used where it is known.

    Raises:
        ValueError: survey.planning.share is not above the limit of the clause.
    """
    planning = params.survey.planning
    limit = limit_of(params)
    if planning.share <= limit:
        raise ValueError(
            f"survey.planning.share = {planning.share} is not above {limit}, which the votes have to exceed: assume"
            " more, or lower verdict.min_preference"
        )
    model = (earlier or {}).get("mixed_model") or {}
    known = model.get("sd_participant") is not None
    spread = (model["sd_participant"], model["sd_pair"]) if known else (SD_RATER, SD_PAIR)
    votes = crossed_votes(planning.share, sd_rater=spread[0], sd_pair=spread[1])
    plan = plan_survey(params, votes)
    trials = plan.pairs + params.survey.repeats + params.survey.catch_pairs
    source = "the answers so far" if known else "an assumption until there are answers"
    return [
        f"planned: {params.survey.participants} participants, {plan.pairs} pairs each ({trials} with repeats and catch "
        f"pairs, about {math.ceil(trials * SECONDS_PER_PAIR / 60)} minutes): an interval {plan.planned_width:.3f} "
        f"wide, and a power of {plan.planned_power:.2f}",
        f"an interval {planning.width} wide: {_words(plan.for_width, plan.pairs_for_width, params)}",
        f"to show in {planning.power:.0%} of surveys that the share exceeds {limit}: "
        f"{_words(plan.for_power, plan.pairs_for_power, params)}",
        f"if {planning.share:.0%} of votes are for the tuned image, and raters and pairs differ by {spread[0]} and "
        f"{spread[1]} (standard deviations of log-odds; {source})",
        "these are participants who count: invite more for those who are left out or stop early",
    ]


def _words(participants: int | None, pairs: int | None, params: Params) -> str:
    if participants is not None:
        return f"{participants} participants"
    if pairs is None:
        return "no number of participants is enough with these pairs, nor of pairs with these participants: raise both"
    per_prompt = math.ceil(pairs / len(params.prompts.target))
    return (
        f"no number of participants is enough with these pairs; with {params.survey.participants} participants it "
        f"takes {pairs} pairs: survey.pairs_per_prompt={per_prompt}"
    )
