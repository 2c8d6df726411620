"""A scan that people judge: what it asks for, that it waits, and what it decides by labels, round by round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anomend.diffusion.stored_sampling import Draw, StoredSampler
from anomend.labelling.design import read_design
from anomend.params.profiles import merge
from anomend.pictures.sample_store import SampleStore, checksum
from anomend.scanning.labelled import GROUP, LabelledPictures, answers_of, judgement
from anomend.scanning.pictures import in_rounds
from anomend.scanning.results import reported_rates
from anomend.scanning.rounds import Requests, Scanned, scan
from anomend.scanning.rules import Rules, Tally
from anomend.statistics.confidence_sequences import exact_interval, sequence_interval
from anomend.surveying.key import LabelKey, read_key
from anomend.surveying.labels import SCAN_DESIGN, SCAN_KEY, SCAN_PAGE, build_scan_labels
from tests.parameters import params_of, user_params

Answers = dict[str, list[str]]
RULES = Rules(seeds_per_round=4, most_seeds=16)
FRESH = range(500, 508)


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([], (False, None)),
        (["wrong"], (False, True)),
        (["wrong", "wrong"], (True, True)),
        (["nothing", "nothing"], (True, False)),
        (["nothing", "wrong"], (True, None)),
        (["unsure", "unsure"], (True, None)),
        (["wrong", "unsure", "wrong"], (True, None)),
    ],
)
def test_a_picture_is_what_all_its_raters_agree_on(answers: list[str], found: tuple[bool, bool | None]) -> None:
    assert judgement(answers, 2) == found


def test_unclear_pictures_count_against_whatever_is_to_be_shown() -> None:
    rules = Rules()
    assert rules.evidence(Tally(6, 8, 2)) == rules.evidence(Tally(6, 8))
    assert rules.is_fine(Tally(0, 16)) and not rules.is_fine(Tally(0, 16, 6))
    assert rules.is_fine(Tally(1, 24, 1)) == rules.is_fine(Tally(2, 24))
    assert Tally(1, 8, 2) + Tally(3, 8, 1) == Tally(4, 16, 3)
    seen = Scanned(
        tallies={"a": Tally(7, 8, 1), "b": Tally(1, 16, 2), "c": Tally()},
        statuses={"a": "wrong", "b": "fine", "c": "open"},
        fresh={"a": Tally(15, 24, 4)},
        anomalous={},
        rounds=2,
    )
    rates = reported_rates(seen, 0.95)
    assert (rates["a"].value, rates["b"].value, rates["c"].value) == (17 / 24, 2 / 16, None)
    assert (rates["a"].ci_low, rates["a"].ci_high) == (exact_interval(15, 24)[0], exact_interval(19, 24)[1])
    assert (rates["b"].ci_low, rates["b"].ci_high) == (sequence_interval(1, 16)[0], sequence_interval(3, 16)[1])
    assert (rates["c"].ci_low, rates["c"].ci_high) == (0, 1)


def test_what_was_found_without_fresh_labels_has_an_interval_that_all_prompts_share() -> None:
    seen = Scanned(
        tallies={"a": Tally(7, 8), "b": Tally(1, 16)},
        statuses={"a": "wrong", "b": "fine"},
        fresh={},
        anomalous={},
        rounds=2,
        waiting={"a": range(10)},
    )
    rate = reported_rates(seen, 0.9)["a"]
    assert (rate.ci_low, rate.ci_high) == sequence_interval(7, 8, 0.95) and not rate.fresh


@pytest.fixture
def people(tmp_path: Path) -> Callable[[Answers], LabelledPictures]:
    """People who have said this of the pictures so far."""

    def load(prompts: Sequence[str]) -> Draw:
        # No two pictures are alike.
        return lambda prompt, seeds: [
            np.full((8, 8, 3), (seed // 100, seed % 100, prompts.index(prompt)), dtype=np.uint8) for seed in seeds
        ]

    samples = SampleStore(tmp_path / "store").samples({"base": "test"})
    sampler = StoredSampler(recipe={}, samples=samples, load=load, block_size=99, description="")
    rounds = in_rounds(sampler, ["bad", "good"], 4)
    return lambda answers: LabelledPictures(sampler=rounds, answers=answers, raters=2)


def scanned(people: LabelledPictures) -> Scanned:
    return scan(["bad", "good"], RULES, people.find, first_seed=100, fresh_seeds=FRESH)


def label(people: LabelledPictures, answers: Answers, says: Callable[[str, int], Sequence[str]]) -> None:
    """Whatever waits is labelled."""
    for (prompt, seed), path in people.unlabelled.items():
        answers[checksum(path)] = list(says(prompt, seed))


def test_a_scan_waits_for_labels_and_goes_on_from_there_until_all_is_settled(
    people: Callable[[Answers], LabelledPictures],
) -> None:
    answers: Answers = {}
    asked: list[set[tuple[str, int]]] = []
    for _ in range(10):
        judge = people(answers)
        seen = scanned(judge)
        if not seen.waiting:
            break
        design = judge.design(seen.waiting)
        # Exactly the pictures of the unsettled prompts' next round, two of a prompt as a pair.
        rows = set(zip(design["prompt"], design["seed"], strict=True))
        assert rows == {(prompt, seed) for prompt, seeds in seen.waiting.items() for seed in seeds}
        assert set(design.groupby("pair")["prompt"].nunique()) == {1} and set(design.groupby("pair").size()) == {2}
        assert set(design["model"]) == {"base"} and set(design["group"]) == {GROUP} and set(design["showings"]) == {2}
        asked.append(rows)
        label(judge, answers, lambda prompt, seed: ["wrong"] * 2 if prompt == "bad" else ["nothing"] * 2)
    assert asked[0] == {(prompt, seed) for prompt in ("bad", "good") for seed in range(100, 104)}
    assert not any(first & second for n, first in enumerate(asked) for second in asked[n + 1 :])
    assert seen.statuses == {"bad": "wrong", "good": "fine"} and seen.fresh["bad"] == Tally(8, 8)
    # The same as by a detector that sees what people see.
    plain = scan(["bad", "good"], RULES, lambda r: _truth(r), first_seed=100, fresh_seeds=FRESH)
    assert (seen.tallies, seen.statuses, seen.fresh) == (plain.tallies, plain.statuses, plain.fresh)


def _truth(requests: Requests) -> dict[tuple[str, int], bool | None]:
    return {(prompt, seed): prompt == "bad" for prompt, seeds in requests for seed in seeds}


def test_a_round_counts_once_all_its_pictures_are_labelled(people: Callable[[Answers], LabelledPictures]) -> None:
    answers: Answers = {}
    judge = people(answers)
    scanned(judge)
    label(judge, answers, lambda prompt, seed: ["wrong", "wrong"] if seed < 103 else ["wrong"])
    half = people(answers)
    seen = scanned(half)
    assert seen.tallies == {"bad": Tally(), "good": Tally()} and set(seen.waiting) == {"bad", "good"}
    # Both pictures of a pair of which one lacks a label, of either prompt.
    assert set(half.design(seen.waiting)["seed"]) == {102, 103} and set(half.unlabelled) == {
        ("bad", 103),
        ("good", 103),
    }


def test_raters_who_differ_settle_nothing(people: Callable[[Answers], LabelledPictures]) -> None:
    answers: Answers = {}
    for _ in range(RULES.most_seeds // RULES.seeds_per_round):
        judge = people(answers)
        scanned(judge)
        label(judge, answers, lambda prompt, seed: ["wrong", "nothing"])
    seen = scanned(people(answers))
    assert set(seen.statuses.values()) == {"open"} and seen.tallies["bad"] == Tally(0, 16, 16) and not seen.waiting


def test_the_page_is_the_one_of_labels_and_few_pictures_go_to_few_raters(
    people: Callable[[Answers], LabelledPictures], tmp_path: Path
) -> None:
    judge = people({})
    design = judge.design(scanned(judge).waiting)
    params = params_of(merge(user_params(), {"label": {"raters": 50, "repeats": 0}})).label
    build_scan_labels(design, params, tmp_path / "labels")
    key = read_key(tmp_path / "labels" / SCAN_KEY, LabelKey)
    # Four pairs, each for two of four raters.
    shown = {code: {one.picture for one in pictures} for code, pictures in key.raters.items()}
    assert len(shown) == 4 and all(len(pictures) == 4 for pictures in shown.values())
    assert set.union(*shown.values()) == set(read_design(tmp_path / "labels" / SCAN_DESIGN)["picture"])
    assert (tmp_path / "labels" / SCAN_PAGE / "index.html").is_file()
    empty = judge.design({})
    build_scan_labels(empty, params, tmp_path / "none")
    assert list((tmp_path / "none").iterdir()) == []


def test_first_answers_count_and_those_to_gold_pictures_and_repeats_do_not() -> None:
    rows = [
        ("p", "a", "wrong", 0, ""),
        ("p", "a", "nothing", 1, ""),
        ("p", "b", "unsure", 0, ""),
        ("g", "a", "wrong", 0, "wrong"),
    ]
    labels = pd.DataFrame(rows, columns=pd.Index(["picture", "rater", "answer", "showing", "gold"]))
    assert answers_of(labels) == {"p": ["wrong", "unsure"]}
