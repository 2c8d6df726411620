"""The judging protocol: blind, in both orders, by schema; and the offline judge on real pictures."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from anomend.judging.analysis import analyse
from anomend.judging.anatomy_judge import AnatomyJudge
from anomend.judging.answers import read_answers, write_answers
from anomend.judging.protocol import BlindPair, Reply, ask, choose_pairs, whole_questions
from anomend.judging.verdicts import parse_verdict
from anomend.miniature.anatomy import check
from tests.judging.known_judges import AlwaysFirst, flat_images, reply


def test_the_anatomy_judge_counts_anomalies_and_has_no_taste(drawn: pd.DataFrame) -> None:
    judge = AnatomyJudge(lambda image: check(image).anomalies, "drawn_people")
    metrics = analyse(list(ask(judge, whole_questions(drawn, repeats=1))), seed=0)
    assert metrics["pairs"] == 5
    assert metrics["win_rate_tuned"] == pytest.approx((3 * 1 + 2 * 0.5) / 5)
    assert metrics["first_position_rate"] == 0.5
    assert metrics["consistency"] == 1
    assert (metrics["ties"], metrics["unparsed"]) == (4, 0)
    assert "not an independent opinion" in metrics["model"]
    assert metrics["ci_low"] <= metrics["win_rate_tuned"] <= metrics["ci_high"]


def test_a_criterion_that_the_anatomy_judge_does_not_assess_is_not_a_tie(drawn: pd.DataFrame) -> None:
    answer = next(ask(AnatomyJudge(lambda image: check(image).anomalies), whole_questions(drawn, 1)))
    assert answer.verdict is not None
    assert answer.verdict.anatomy == answer.verdict.overall
    assert (answer.verdict.lighting, answer.verdict.prompt) == (None, None)


def test_both_orders_and_repeats_are_asked_and_nothing_tells_the_models_apart(flat: pd.DataFrame) -> None:
    questions = whole_questions(flat.head(1), repeats=3)
    assert [(q.order, q.repeat) for q in questions] == [
        (order, repeat) for repeat in range(3) for order in ("base_first", "tuned_first")
    ]
    seen: list[BlindPair] = []

    class Recorder(AlwaysFirst):
        def judge(self, pair: BlindPair) -> Reply:
            seen.append(pair)
            return super().judge(pair)

    list(ask(Recorder(), questions[:2]))
    assert [pair.image_a[0, 0, 0] for pair in seen] == [250, 3]
    assert [pair.image_b[0, 0, 0] for pair in seen] == [3, 250]
    # The same image keeps its name in either place; names and texts hold neither model nor folder.
    assert (seen[0].name_a, seen[0].name_b) == (seen[1].name_b, seen[1].name_a)
    texts = [getattr(pair, field.name) for pair in seen for field in fields(pair)]
    assert not any(word in str(text) for text in texts if isinstance(text, str) for word in ("base", "tuned", "/"))


@pytest.mark.parametrize(
    "raw", ["", "A", '{"overall": "A"}', reply("C").raw, reply("A").raw[:-5], reply("A").raw.replace('"because"', "1")]
)
def test_only_the_schema_is_a_verdict(raw: str) -> None:
    verdict, why = parse_verdict(raw)
    assert verdict is None and why


def test_answers_survive_the_file(flat: pd.DataFrame, tmp_path: Path) -> None:
    class Odd(AlwaysFirst):
        def judge(self, pair: BlindPair) -> Reply:
            return Reply("two\u2028lines\nand <markup>", {"usage": {"input_tokens": 7}})

    path = tmp_path / "answers" / "odd.jsonl"
    written = write_answers(path, ask(Odd(), whole_questions(flat.head(2), 1)))
    assert read_answers(path) == written
    assert len(written) == 4
    path.write_text(path.read_text() + '{"provider": "x"}\n')
    with pytest.raises(ValueError, match=r"odd\.jsonl:5 is not an answer"):
        read_answers(path)


def test_pairs_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    base, tuned = flat_images(tmp_path / "b", 12, 250), flat_images(tmp_path / "t", 12, 3)
    drawn = choose_pairs(base, tuned, per_prompt=4, seed=1)
    again = choose_pairs(base.sample(frac=1, random_state=0), tuned[::-1], per_prompt=4, seed=1)
    pd.testing.assert_frame_equal(drawn, again)
    assert len(drawn) == 4
    assert list(drawn["seed"]) != list(choose_pairs(base, tuned, per_prompt=4, seed=2)["seed"])
    with pytest.raises(ValueError, match="share no prompt and seed"):
        choose_pairs(base, tuned.assign(prompt="other"), per_prompt=4, seed=0)
    with pytest.raises(ValueError, match="twice"):
        choose_pairs(pd.concat([base, base]), tuned, per_prompt=4, seed=0)
