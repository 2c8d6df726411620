"""The suites of data/suites against the miniature's world and the rules of their grammar; broken ones are refused."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from pathlib import Path

import pytest

from anomend.miniature.drawn_people import POSTURES
from anomend.miniature.scenery import PLACES
from anomend.scanning.short_forms import short_form
from anomend.scanning.suites import Suite, list_of, read_suite
from tests.conftest import ROOT

SUITES = ROOT / "data" / "suites"
GRAMMAR = """
prompt: "{who} {pose}"
factors:
  pose: {lying: lying, standing: standing}
  who: {one: a person, none: ""}
without:
  - {pose: [lying], who: [none]}
"""


@pytest.fixture(scope="module")
def people() -> Suite:
    return read_suite(SUITES / "people.yaml")


def test_the_miniatures_suite_is_its_whole_world() -> None:
    suite = read_suite(SUITES / "miniature.yaml")
    world = {f"{posture} on the {place}" for posture, place in product(POSTURES, PLACES)}
    assert {prompt.prompt for prompt in suite.prompts} == world and len(suite.prompts) == len(world)


def test_the_suite_of_people_has_every_combination_that_its_rules_leave(people: Suite) -> None:
    """Counted by hand: pose x place x view x distance, times the pairs of people and contact that a pose may have."""
    alone = {"lying_face_down", "crawling", "bending", "handstand", "split", "downward_dog", "warrior", "bridge"}
    by_hand = {"jumping", "running", "standing_on_one_leg", "lying_on_back", "lying_on_side"}
    pairs = dict.fromkeys(people.factors["pose"], 1 + 4 + 3)  # Three people hold hands, or carry, but do not hug.
    pairs |= dict.fromkeys(alone, 3) | dict.fromkeys(by_hand, 1 + 2 + 2) | {"climbing": 2, "cartwheel": 2}
    assert len(people.prompts) == sum(pairs.values()) * 6 * 4 * 2
    texts = {prompt.name: prompt.prompt for prompt in people.prompts}
    assert texts["handstand/grass/one/none/front/whole"] == (
        "a full-body photo of a person doing a handstand on the grass, seen from the front"
    )
    assert not any(", one of them" in text and "a person" in text for text in texts.values())


def test_the_short_form_is_committed_and_even(people: Suite) -> None:
    text = (SUITES / "people_short.csv").read_text()
    suite = read_suite(SUITES / "people_short.csv")
    assert list_of(short_form(people, 60)) == text == list_of(suite) and len(suite.prompts) == 60
    assert suite.factors.keys() == people.factors.keys()
    for factor, levels in people.factors.items():
        assert set(suite.factors[factor]) == set(levels), factor
    cells = Counter((prompt.levels["pose"], prompt.levels["place"]) for prompt in suite.prompts)
    assert max(cells.values()) == 1


def test_a_short_form_covers_more_pairs_of_levels_than_the_first_prompts_do(people: Suite) -> None:
    def covered(suite: Suite) -> int:
        return len({pair for prompt in suite.prompts for pair in combinations(prompt.levels.items(), 2)})

    assert covered(short_form(people, 60)) > 3 * covered(Suite(people.prompts[:60]))
    with pytest.raises(ValueError, match="1 to 4464 prompts"):
        short_form(people, 0)


def test_neighbours_differ_in_one_factor() -> None:
    suite = read_suite(SUITES / "miniature.yaml")
    lying = next(prompt for prompt in suite.prompts if prompt.name == "lying/grass")
    neighbours = {prompt.name for prompt in suite.neighbours(lying)}
    assert neighbours == {"lying/street", "lying/beach", "lying/snow", "standing/grass", "sitting/grass"}
    assert lying.differs_in(suite.prompts[1]) == {"posture", "place"}


def test_a_grammar_gives_each_combination_but_those_left_out(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GRAMMAR)
    suite = read_suite(tmp_path / "own.yaml")
    assert [prompt.prompt for prompt in suite.prompts] == ["a person lying", "a person standing", "standing"]
    (tmp_path / "own.csv").write_text(list_of(suite))
    assert read_suite(tmp_path / "own.csv") == suite


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GRAMMAR.replace("{pose}", "{poses}"), "'pose' is a gap of `prompt` or a factor"),
        (GRAMMAR.replace("{pose}", "{pose"), "a brace without its other half"),
        (GRAMMAR.replace("[lying]", "[flying]"), "names pose: flying, which is not a level"),
        (GRAMMAR.replace("without", "except"), "except is not a key"),
        (GRAMMAR.replace("lying: lying", "lying: 3"), "the factor pose needs levels"),
        (GRAMMAR.replace("standing: standing", "standing: lying"), "have the same prompt"),
        ("prompt: x\nfactors: {pose: {a: b}}", "two or more"),
        (GRAMMAR.replace("[none]", "[none, one]").replace("[lying]", "[lying, standing]"), "leaves no prompt"),
    ],
)
def test_a_broken_grammar_is_one_sentence_that_names_its_file(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "own.yaml").write_text(content)
    with pytest.raises(ValueError, match=said) as refused:
        read_suite(tmp_path / "own.yaml")
    assert "own.yaml" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("prompt,pose\nlying,lying\n", "two factors or more"),
        ("text,pose,place\nlying,lying,grass\n", "needs a column `prompt`"),
        ("prompt,pose,place\n", "lists no prompt"),
        ("prompt,pose,place\nlying,lying,\n", "line 2: place is empty"),
        ("prompt,pose,place\nlying,lying,a\nLying!,lying,b\n", "have the same prompt"),
        ("prompt,pose,place\nlying,lying,a\nlies,lying,a\n", "have the same levels"),
    ],
)
def test_a_broken_list_is_one_sentence_that_names_its_file(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "own.csv").write_text(content)
    with pytest.raises(ValueError, match=said) as refused:
        read_suite(tmp_path / "own.csv")
    assert "own.csv" in str(refused.value)


def test_a_suite_that_is_not_there_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"scan\.suite names .* which is not a file"):
        read_suite(tmp_path / "none.yaml")
    (tmp_path / "own.txt").write_text("lying\n")
    with pytest.raises(ValueError, match="a grammar"):
        read_suite(tmp_path / "own.txt")
