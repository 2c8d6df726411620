"""Who sees what: balance, distance of a pair's two pictures, repeats, gold, and what is refused."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise

import pytest

from anomend.labelling.plans import PicturePair, Showing, assign, plans


def pairs_of(count: int) -> list[PicturePair]:
    return [PicturePair(name=str(number), base=f"b{number}", tuned=f"t{number}") for number in range(count)]


def drawn(count: int, *, raters: int = 5, per_picture: int = 3, repeats: int = 4, seed: int = 0) -> list[list[Showing]]:
    gold = {"g0": "wrong", "g1": "nothing", "g2": "wrong"}
    return plans(pairs_of(count), raters=raters, raters_per_picture=per_picture, repeats=repeats, gold=gold, seed=seed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "raters", "per_picture"), [(40, 5, 3), (33, 7, 2), (12, 4, 4), (9, 3, 1)])
def test_every_picture_is_seen_by_as_many_raters_and_the_work_is_shared(
    count: int, raters: int, per_picture: int
) -> None:
    shown = drawn(count, raters=raters, per_picture=per_picture)
    seen = Counter(one.picture for plan in shown for one in plan if not one.gold and not one.number)
    assert seen == {f"{model}{number}": per_picture for model in "bt" for number in range(count)}
    assert all(len(plan) == len({(one.picture, one.number) for one in plan}) for plan in shown)
    shares = [sum(not one.gold and not one.number for one in plan) for plan in shown]
    assert max(shares) - min(shares) <= 2 and sum(shares) == 2 * count * per_picture
    # Both pictures of a pair go to the same raters, and half of the pairs begin with the base's, as near as can be.
    for plan in shown:
        first = [one.picture for one in plan if not one.gold and not one.number]
        assert {name[1:] for name in first if name[0] == "b"} == {name[1:] for name in first if name[0] == "t"}
        early = first[: len(first) // 2]
        assert abs(sum(name[0] == "b" for name in early) - sum(name[0] == "t" for name in early)) <= 1


def test_raters_of_a_prompt_are_mixed_and_not_always_the_same_two() -> None:
    shares = assign(pairs_of(60), raters=6, raters_per_picture=2, seed=0)
    together = Counter(
        tuple(sorted(number for number, share in enumerate(shares) if pair in share)) for pair in pairs_of(60)
    )
    assert set(together) == set(combinations(range(6), 2))
    # Ten pairs of a prompt in a row: nobody has more than one above or below an equal share.
    of_prompt = [sum(pair in share for pair in pairs_of(60)[20:30]) for share in shares]
    assert max(of_prompt) - min(of_prompt) <= 2


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("count", [2, 3, 4, 5, 20])
def test_a_pairs_two_pictures_are_never_next_to_each_other(count: int, seed: int) -> None:
    for plan in drawn(count, raters=1, per_picture=1, seed=seed):
        for one, other in pairwise(one for one in plan if not one.gold):
            assert one.picture[1:] != other.picture[1:]
        for one, other in pairwise(plan):
            assert one.picture[1:] != other.picture[1:] or "g" in (one.picture[0], other.picture[0])


def test_repeats_come_later_and_far_from_the_first_showing() -> None:
    for plan in drawn(20, raters=2, per_picture=2, repeats=6):
        places = {(one.picture, one.number): place for place, one in enumerate(plan)}
        again = [picture for picture, number in places if number]
        assert len(again) == 6
        assert all(places[picture, 1] - places[picture, 0] > 20 for picture in again)
    # At most one for every two pairs.
    assert all(sum(one.number for one in plan) == 2 for plan in drawn(5, raters=2, per_picture=2, repeats=6))


def test_gold_is_spread_over_the_whole_for_everybody() -> None:
    for plan in drawn(30, raters=3, per_picture=2):
        places = [place for place, one in enumerate(plan) if one.gold]
        assert len(places) == 3
        assert [3 * place // len(plan) for place in places] == pytest.approx([0, 1, 2], abs=1)
        assert {one.picture: one.gold for one in plan if one.gold} == {"g0": "wrong", "g1": "nothing", "g2": "wrong"}


def test_equal_files_are_shown_once() -> None:
    same = [PicturePair(name="0", base="x", tuned="x"), *pairs_of(4)[1:]]
    (plan,) = plans(same, raters=1, raters_per_picture=1, repeats=2, gold={}, seed=0)
    assert Counter(one.picture for one in plan if not one.number) == dict.fromkeys(
        ["x", "b1", "b2", "b3", "t1", "t2", "t3"], 1
    )


def test_the_same_seed_gives_the_same_plans_and_another_one_others() -> None:
    assert drawn(20) == drawn(20) and drawn(20) != drawn(20, seed=1)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(ValueError, match=r"give a rater only 1: raise label\.pairs_per_prompt"):
        plans(pairs_of(5), raters=5, raters_per_picture=1, repeats=0, gold={}, seed=0)
    with pytest.raises(ValueError, match="the gold picture b1 is one of the pictures that were drawn"):
        plans(pairs_of(5), raters=1, raters_per_picture=1, repeats=0, gold={"b1": "wrong"}, seed=0)
