"""Labels of single pictures by the LLM judges, over real HTTP."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from anomend.judging.body_question import Answer, BodyVerdict, parse_body
from anomend.judging.label_metrics import label_metrics
from anomend.judging.picture_answers import PictureAnswer, label_rows
from anomend.judging.pictures import choose_pictures
from anomend.labelling.records import ANSWERS, COLUMNS, KINDS, read_labels
from anomend.labelling.texts import read_texts, versions
from anomend.miniature.drawn_people import render, sample_scene
from anomend.pipeline.money import judging_usd
from anomend.project.files import sha256_of
from anomend.project.paths import PRICES
from anomend.project.seeding import python_random
from tests.conftest import ROOT
from tests.judging.test_llm_judges import (
    COUNTS,
    PATHS,
    answer,
    change,
    images_of,
    metrics,
    prefers_dark,
    run,
    special,
)
from tests.judging.test_llm_judges import project as project
from tests.judging.test_llm_judges import provider as provider
from tests.parameters import params_of, user_params
from tests.purchasing.api_server import Seen, serve

BODY = {"counts": COUNTS, "kinds": [], "answer": "nothing", "reason": "All is there."}


def schema_of(seen: Seen) -> dict[str, Any]:
    schema: dict[str, Any] = seen.fields["output_config" if "output_config" in seen.fields else "text"]["format"][
        "schema"
    ]
    return schema


def is_single(seen: Seen) -> bool:
    return "kinds" in schema_of(seen)["properties"]


def base_is_wrong(provider: str) -> Any:
    """Labels bright pictures as wrong, and says of pairs that the dark one is first."""
    pairs = prefers_dark(provider)

    def judge(seen: Seen) -> dict[str, Any]:
        if not is_single(seen):
            return pairs(seen)
        bright = float(np.asarray(images_of(seen)[0]).mean()) > 100
        wrong = BODY | {"answer": "wrong", "kinds": ["hand", "extra_limb"], "counts": COUNTS | {"arms": 3}}
        return answer(provider, json.dumps(wrong if bright else BODY))

    return judge


@pytest.mark.slow
def test_each_picture_is_labelled_by_itself_blind_and_paid_once(project: Path, provider: str) -> None:
    change(project, provider, repeats=1, label_pairs_per_prompt=2)
    with serve() as server:
        server.answers[PATHS[provider]] = base_is_wrong(provider)
        code, output = run(project, server)
        assert code == 0, output
        # 6 pairs in 2 orders; and 2 prompts, 2 pairs each, both pictures.
        single = [seen for seen in server.seen if is_single(seen)]
        assert len(server.seen) == 12 + 8 and len(single) == 8 and "20 to buy" in output
        assert run(project, server)[0] == 0 and len(server.seen) == 20
    asked = read_texts(["en"])[0].content["asked"]
    people_read = [asked["question"], *asked["guide"][:-1], *(asked["examples"][kind] for kind in KINDS)]
    for seen in single:
        text = json.dumps(seen.fields)
        assert len(images_of(seen)) == 1 and all(json.dumps(words)[1:-1] in text for words in people_read)
        assert not any(word in text for word in ("tuned", "lying on the grass", ".png", "Image A"))
        assert list(schema_of(seen)["properties"]) == ["counts", "kinds", "answer", "reason"]
        assert schema_of(seen)["properties"]["kinds"]["items"]["enum"] == list(KINDS)
    judged = metrics(project, provider)
    assert judged["pairs"] == 6 and judged["requests_from_store"] == 20
    labels = judged["labels"]
    assert (labels["n"], labels["unsure"], labels["unparsed"]) == (8, 0, 0)
    assert (labels["target"]["base"]["rate"], labels["target"]["tuned"]["rate"]) == (1.0, 0.0)
    # Wilson's interval at n of n is n / (n + z^2) to 1.
    assert labels["target"]["base"]["ci_low"] == pytest.approx(4 / (4 + 1.959964**2))
    assert labels["kinds"]["base"]["hand"] == 1 and labels["kinds"]["tuned"]["hand"] == 0
    assert "until people's labels" in labels["caution"]
    folder = project / "data" / "judgements" / "labels"
    rows = list(csv.DictReader((folder / f"{provider}.csv").open()))
    assert len(rows) == 8 and tuple(rows[0]) == COLUMNS
    base = {sha256_of(path) for path in (project / "data" / "samples" / "base").glob("*.png")}
    assert {(row["answer"], row["kinds"]) for row in rows if row["picture"] in base} == {("wrong", "extra_limb hand")}
    assert {(row["answer"], row["kinds"]) for row in rows if row["picture"] not in base} == {("nothing", "")}
    # They can be read as people's labels are, as answers to the question that people are asked.
    assert set(read_labels(folder, texts=versions())["answer"]) == {"wrong", "nothing"}
    assert {row["rater"] for row in rows} == {f"{provider}-{judged['model']}".replace(".", "-")}


@pytest.mark.slow
def test_a_label_that_cannot_be_read_is_asked_again_once_and_is_not_a_right_picture(
    project: Path, provider: str
) -> None:
    change(project, provider, repeats=1, label_pairs_per_prompt=2)
    numbers = itertools.count()
    with serve() as server:
        judge = base_is_wrong(provider)
        # All first answers about single pictures are cut off; of the second ones two.
        server.answers[PATHS[provider]] = lambda seen: (
            special(provider, "cut") if is_single(seen) and next(numbers) < 10 else judge(seen)
        )
        code, output = run(project, server)
        assert code == 0 and len(server.seen) == 12 + 8 + 8, output
    labels = metrics(project, provider)["labels"]
    assert (labels["n"], labels["asked_again"], labels["unparsed"]) == (8, 8, 2)
    assert labels["target"]["base"]["n"] + labels["target"]["tuned"]["n"] == 6
    assert "on single pictures: 2 of 8 answers are not verdicts and are left out (2 times cut off" in output
    assert len((project / "data" / "judgements" / "labels" / f"{provider}.csv").read_text().splitlines()) == 1 + 6


@pytest.mark.slow
def test_parts_of_single_pictures_are_asked_about_in_crops(project: Path, provider: str) -> None:
    for model in ("base", "tuned"):
        for number, path in enumerate(sorted((project / "data" / "samples" / model).glob("*.png"))):
            rng = python_random("single parts", model, number)
            Image.fromarray(render(sample_scene(rng, "lying", "grass"), rng)).save(path)
    change(project, provider, repeats=1, pairs_per_prompt=1, label_pairs_per_prompt=1, parts="drawn_people")
    legs = BODY | {"answer": "wrong", "kinds": ["bent_wrong"]}
    with serve() as server:
        pairs = prefers_dark(provider)
        server.answers[PATHS[provider]] = lambda seen: (
            answer(provider, json.dumps(legs if "Look at the legs alone" in json.dumps(seen.fields) else BODY))
            if is_single(seen)
            else pairs(seen)
        )
        code, output = run(project, server)
        assert code == 0, output
        # 2 prompts: one pair each in both orders; and both pictures of it; each whole, and head, arms and legs.
        assert len(server.seen) == 2 * 2 * 4 + 4 * 4
    labels = metrics(project, provider)["labels"]
    assert labels["n"] == 4 and labels["target"]["base"]["rate"] == 0
    assert {part: rates["tuned"]["rate"] for part, rates in labels["parts"].items()} == {
        "head": 0,
        "arms": 0,
        "legs": 1,
    }
    rows = list(csv.DictReader((project / "data" / "judgements" / "labels" / f"{provider}.csv").open()))
    by_rater = {row["rater"].endswith("-parts"): (row["answer"], row["kinds"]) for row in rows}
    assert len(rows) == 8 and by_rater == {False: ("nothing", ""), True: ("wrong", "bent_wrong")}


def test_pictures_are_of_the_pairs_that_are_judged_in_both_groups(tmp_path: Path) -> None:
    tables = []
    for model in ("base", "tuned"):
        (tmp_path / model).mkdir()
        rows = []
        for number, (group, prompt) in enumerate((("target", "a"), ("target", "b"), ("held_out", "c"))):
            for seed in range(4):
                path = tmp_path / model / f"{number}-{seed}.png"
                Image.new("RGB", (4, 4), (number, seed, 9 * (model == "base"))).save(path)
                rows.append({"group": group, "prompt": prompt, "seed": seed, "path": path})
        tables.append(pd.DataFrame(rows))
    drawn = choose_pictures(*tables, per_prompt={"target": 2, "held_out": 1}, seed=5)
    assert list(drawn["group"]) == ["target"] * 8 + ["held_out"] * 2 and drawn["picture"].is_unique
    assert (drawn.groupby(["prompt", "seed"])["drawn_by"].agg(list).map(tuple) == ("base", "tuned")).all()
    # A larger draw holds the smaller one.
    larger = choose_pictures(*tables, per_prompt={"target": 3, "held_out": 0}, seed=5)
    assert set(drawn[drawn["group"] == "target"]["picture"]) < set(larger["picture"]) and len(larger) == 12
    assert choose_pictures(*tables, per_prompt={"target": 0, "held_out": 0}, seed=5).empty


def labelled(verdicts: list[dict[str, Any] | None], drawn_by: str) -> list[PictureAnswer]:
    return [
        PictureAnswer(
            provider="test",
            model="m",
            picture=f"{drawn_by}{number}",
            drawn_by="base" if drawn_by == "base" else "tuned",
            group="target",
            prompt="p",
            seed=number,
            verdict=None if verdict is None else BodyVerdict.model_validate(BODY | verdict),
            unparsed="refused: no" if verdict is None else None,
            raw="",
            details={},
        )
        for number, verdict in enumerate(verdicts)
    ]


def test_rates_are_of_decided_pictures_and_kinds_of_wrong_ones() -> None:
    wrong, unsure, right = {"answer": "wrong", "kinds": ["foot"]}, {"answer": "unsure"}, {"kinds": ["face"]}
    answers = labelled([wrong, wrong, right, unsure, None], "base") + labelled([unsure], "tuned")
    said = label_metrics(answers)
    assert (said["n"], said["unsure"], said["unparsed"]) == (6, 2, 1)
    assert (said["target"]["base"]["n"], said["target"]["base"]["rate"]) == (3, 2 / 3)
    assert said["target"]["tuned"]["rate"] is None and said["target"]["tuned"]["reason"]
    # What is named of a picture in which nothing is wrong does not count.
    assert (said["kinds"]["base"]["foot"], said["kinds"]["base"]["face"]) == (2 / 3, 0)
    assert list(label_rows(answers)["kinds"]) == ["foot", "foot", "", "", ""]


def test_parts_that_could_not_be_seen_leave_no_right_picture() -> None:
    wrong: dict[str, Any] = {"answer": "wrong", "kinds": ["foot"]}
    for parts, expected in (
        ([{}, {}], [("nothing", "")]),
        ([{}, wrong], [("wrong", "foot")]),
        ([None, wrong], [("wrong", "foot")]),
        ([{}, {"answer": "unsure"}], [("unsure", "")]),
        ([{}, None], []),
    ):
        about: list[dict[str, Any] | None] = [{"kinds": []}, *parts]
        answers = [
            each.model_copy(update={"picture": "p", "part": part})
            for each, part in zip(labelled(about, "base"), (None, "arms", "legs"), strict=True)
        ]
        rows = label_rows(answers)
        combined = rows[rows["rater"] == "test-m-parts"]
        assert list(zip(combined["answer"], combined["kinds"], strict=True)) == expected
        assert list(rows[rows["rater"] == "test-m"]["answer"]) == ["nothing"]


def test_people_and_models_have_the_same_answers() -> None:
    assert get_args(Answer) == ANSWERS


@pytest.mark.parametrize(
    "changes", [{"answer": "maybe"}, {"kinds": ["tail"]}, {"counts": None}, {"surprise": 1}, {"reason": None}]
)
def test_only_the_schema_is_a_label(changes: dict[str, Any]) -> None:
    verdict, why = parse_body(json.dumps(BODY | changes))
    assert verdict is None and why
    assert parse_body(json.dumps(BODY | {"reason": "w" * 900}))[1] is None


def test_labels_cost_what_the_plan_says_and_need_a_paid_judge() -> None:
    def of(**judge: Any) -> Any:
        params = user_params()
        params["judge"] = {**(params.get("judge") or {}), **judge}
        return params_of(params)

    prices = ROOT / PRICES
    plain = of(judges=["openai"], pairs_per_prompt=4, image_size=700, max_tokens=1000)
    more = of(
        judges=["openai"], pairs_per_prompt=4, image_size=700, max_tokens=1000, label_pairs_per_prompt=8,
        label_held_out_pairs_per_prompt=2,
    )  # fmt: skip
    pictures = 2 * (8 * len(more.prompts.target) + 2 * len(more.prompts.held_out))
    # 1,100 tokens of text and 700 of the picture at $2 a million, 1,000 of the answer at $10.
    usd = (1800 * 2 + 1000 * 10) / 1e6
    assert judging_usd(more, prices) - judging_usd(plain, prices) == pytest.approx(pictures * usd)
    with pytest.raises(ValueError, match=r"judge\.judges names none: add anthropic or openai"):
        of(label_pairs_per_prompt=1)
