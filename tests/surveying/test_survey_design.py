"""Who sees what: once each, in random order, sides balanced, repeats turned round, catch pairs spread."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
import pytest

from anomend.surveying.design import SurveyPair, Trial, trials_of
from anomend.surveying.images import TILES, blind_name, damaged, pair_name, pixel_digest


def survey_pair(kind: str, number: int) -> SurveyPair:
    return SurveyPair(
        name=f"{kind} {number}",
        prompt="a prompt",
        seed=number,
        image_base=f"{kind} base {number}",
        image_tuned=f"{kind} tuned {number}",
    )


PAIRS = [survey_pair("pair", number) for number in range(12)]
CATCHES = [survey_pair("catch", number) for number in range(4)]
PARTICIPANTS, REPEATS = 10, 5


@pytest.fixture(scope="module")
def plans() -> list[list[Trial]]:
    return [trials_of(number, pairs=PAIRS, catches=CATCHES, repeats=REPEATS, seed=3) for number in range(PARTICIPANTS)]


def of_kind(trials: list[Trial], kind: str) -> list[Trial]:
    return [trial for trial in trials if trial.kind == kind]


def test_everybody_sees_every_pair_once_and_the_repeats_again(plans: list[list[Trial]]) -> None:
    for trials in plans:
        assert Counter(trial.pair.name for trial in of_kind(trials, "real")) == dict.fromkeys(
            (pair.name for pair in PAIRS), 1
        )
        assert len({trial.pair.name for trial in of_kind(trials, "repeat")}) == REPEATS
        assert Counter(trial.pair.name for trial in of_kind(trials, "catch")) == dict.fromkeys(
            (pair.name for pair in CATCHES), 1
        )


def test_orders_differ_and_depend_on_nothing_but_seed_and_number(plans: list[list[Trial]]) -> None:
    assert len({tuple(trial.pair.name for trial in trials) for trials in plans}) == PARTICIPANTS
    plan = partial(trials_of, 4, pairs=PAIRS, catches=CATCHES, repeats=REPEATS)
    assert plans[4] == plan(seed=3) != plan(seed=4)


def test_sides_are_balanced_within_and_between_participants(plans: list[list[Trial]]) -> None:
    sides = [{trial.pair.name: trial.left_model for trial in of_kind(trials, "real")} for trials in plans]
    for first, second in zip(sides[::2], sides[1::2], strict=True):
        assert list(first.values()).count("tuned") == list(second.values()).count("tuned") == len(PAIRS) // 2
        assert all(first[name] != second[name] for name in first)
    assert len({tuple(sorted(chosen.items())) for chosen in sides}) == PARTICIPANTS


def test_the_sides_decide_where_each_image_is(plans: list[list[Trial]]) -> None:
    for trial in plans[0]:
        shown = (trial.pair.image_tuned, trial.pair.image_base)
        assert (trial.left, trial.right) == (shown if trial.left_model == "tuned" else shown[::-1])


def test_repeats_come_later_with_the_sides_changed(plans: list[list[Trial]]) -> None:
    for trials in plans:
        place = {(trial.kind, trial.pair.name): index for index, trial in enumerate(trials)}
        for repeat in of_kind(trials, "repeat"):
            first = trials[place["real", repeat.pair.name]]
            assert repeat.left_model != first.left_model
            assert place["real", repeat.pair.name] < place["repeat", repeat.pair.name]


def test_catch_pairs_are_spread_over_the_whole(plans: list[list[Trial]]) -> None:
    for trials in plans:
        places = [index for index, trial in enumerate(trials) if trial.kind == "catch"]
        assert places[0] < len(trials) / 2 < places[-1]
        assert Counter(trial.left_model for trial in of_kind(trials, "catch")) == {"tuned": 2, "base": 2}


def test_too_many_repeats_are_refused() -> None:
    with pytest.raises(ValueError, match=r"7 repeats need 14 pairs or more, there are 12: lower survey\.repeats"):
        trials_of(0, pairs=PAIRS, catches=CATCHES, repeats=7, seed=3)


def test_a_damaged_image_has_the_same_tiles_and_none_in_its_place() -> None:
    size = 6
    tiles = np.arange(TILES * TILES, dtype=np.uint8).reshape(TILES, TILES)
    image = np.repeat(np.kron(tiles, np.ones((size, size), dtype=np.uint8))[..., None], 3, axis=2)
    broken = damaged(image, seed=1)
    now = broken[::size, ::size, 0]
    assert sorted(now.ravel()) == sorted(tiles.ravel()) and not (now == tiles).any()
    assert np.array_equal(broken, np.repeat(np.kron(now, np.ones((size, size), dtype=np.uint8))[..., None], 3, axis=2))


def test_names_follow_the_pixels() -> None:
    first, second = np.zeros((8, 8, 3), dtype=np.uint8), np.full((8, 8, 3), 9, dtype=np.uint8)
    assert blind_name(first, 0) == blind_name(first.copy(), 0) != blind_name(first, 1)
    assert pixel_digest(first, second) != pixel_digest(second, first)
    name = pair_name("Lying on the grass/street", 7, base=first, tuned=second)
    assert name.startswith("lying_on_the_grass_street-7-") and name != pair_name(
        "Lying on the grass/street", 7, base=first, tuned=first
    )
