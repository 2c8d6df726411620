"""Which pairs are shown as what, and the list that the page's script reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from anomend.reporting.gallery import OUTCOMES, changed_rows, gallery, outcome_of, script_data, spread
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.pairs import AssessedImage, ImagePair, all_pairs

WRONG, RIGHT, UNKNOWN = ("extra arm",), (), None


@pytest.mark.parametrize(
    ("base", "tuned", "expected"),
    [
        (RIGHT, WRONG, "broken"),
        (WRONG, WRONG, "still"),
        (WRONG, RIGHT, "fixed"),
        (RIGHT, RIGHT, "right"),
        (UNKNOWN, RIGHT, "unknown"),
    ],
)
def test_outcomes(base: tuple[str, ...] | None, tuned: tuple[str, ...] | None, expected: str) -> None:
    images = [AssessedImage(Path("x.png"), found) for found in (base, tuned)]
    pair = ImagePair(prompt="a", group="target", seed=0, base=images[0], tuned=images[1])
    assert outcome_of(pair) == expected and expected in OUTCOMES


def test_every_pair_is_counted_and_what_broke_comes_first(inputs: ReportInputs) -> None:
    shown = gallery(inputs.pairs, inputs.first_pairs, {})
    # Of five target pairs, four base images and one tuned image have a planted anomaly.
    assert shown.counts("target") == {"still": 1, "fixed": 3, "right": 1} and len(shown.every) == 10
    assert [(each.outcome, each.count) for each in shown.examples] == [("still", 1)]
    swapped = [replace(pair, base=pair.tuned, tuned=pair.base) for pair in all_pairs(inputs.pairs)]
    assert list(changed_rows(swapped)) == ["Newly broken, target prompts: 3"]
    broken = [pair for pair in swapped if outcome_of(pair) == "broken"]
    assert changed_rows(swapped, most=2) == {"Newly broken, target prompts: 3, of which 2": spread(broken, 2)}


def test_examples_are_from_all_prompts_those_with_most_pairs_first() -> None:
    image = AssessedImage(Path("x.png"), RIGHT)
    pairs = [
        ImagePair(prompt=prompt, group="held_out", seed=seed, base=image, tuned=image)
        for prompt, seeds in (("one", 1), ("three", 3), ("two", 2))
        for seed in range(seeds)
    ]
    picked = [(pair.prompt, pair.seed) for pair in spread(pairs, 5)]
    assert picked == [("three", 0), ("two", 0), ("one", 0), ("three", 1), ("two", 1)]


def test_the_list_is_json_that_ends_no_script(inputs: ReportInputs) -> None:
    shown = gallery(inputs.pairs, inputs.first_pairs, {})
    first = replace(shown.every[0], prompt="</script><script>alert(1)")
    text = script_data(replace(shown, every=(first, *shown.every[1:])), {first: 0}, "../data/samples")
    assert "<" not in text
    content = json.loads(text)
    assert content["pairs"][0]["prompt"] == first.prompt and content["pairs"][0]["embedded"] == 0
    assert content["pairs"][1]["embedded"] is None and content["folder"] == "../data/samples"
    assert content["pairs"][0]["files"] == [first.base.path.name, first.tuned.path.name]
