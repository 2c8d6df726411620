"""Answers about single pictures over real HTTP: what is stored and when, and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from anomend.labelling.records import read_labels
from anomend.surveying.desks import LabelDesk
from anomend.surveying.journals import import_journals, import_rows, journal_rows
from anomend.surveying.key import LabelKey, SurveyKey, read_key, write_key
from anomend.surveying.label_answers import is_label_file, label_table
from anomend.surveying.submissions import AlreadyStored
from tests.surveying.conftest import Site, answers_of, build
from tests.surveying.labels import Labels, build_label_page

Serve = Callable[[Site], str]


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    return build_label_page(tmp_path)


def answer(trial: int = 0, value: str = "nothing", **fields: Any) -> dict[str, Any]:
    marks = [{"kind": "hand", "x": 0.25, "y": 1}] if value == "wrong" else []
    return {"trial": trial, "answer": value, "marks": marks, "milliseconds": 1500, "language": "en"} | fields


def sent(labels: Labels, *answers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    code = next(iter(labels.key.raters))
    return {"design": labels.key.design, "rater": code, "answers": [*answers]} | fields


def post(address: str, content: Any) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return httpx.post(f"{address}/results", content=body, headers={"Content-Type": "application/json"}, timeout=60)


def stored(labels: Labels, code: str | None = None) -> list[str]:
    return [row["answer"] for row in journal_rows(labels.desk.journal(code or next(iter(labels.key.raters))))]


def test_each_answer_is_stored_when_it_comes_once_and_unblinded(labels: Labels, serve: Serve) -> None:
    address, code = serve(labels), next(iter(labels.key.raters))
    begun = {"answered": 0, "asked": 6, "state": "open", "end": None}
    assert httpx.get(f"{address}/answered/{code}").json() == begun
    assert post(address, sent(labels, answer(0, "wrong"))).status_code == 201
    assert stored(labels) == ["wrong"]
    # Again, as after a reply that was lost; then the next ones, together with it.
    assert post(address, sent(labels, answer(0, "wrong"))).status_code == 201
    both = sent(labels, answer(0, "wrong"), answer(1, "unsure", language="ko"))
    assert post(address, both).status_code == 201
    assert stored(labels) == ["wrong", "unsure"]
    assert httpx.get(f"{address}/answered/{code}").json() == begun | {"answered": 2}
    first, second = journal_rows(labels.desk.journal(code))
    assert first == {
        **labels.key.raters[code][0].model_dump(),
        "rater": code,
        "answer": "wrong",
        "kinds": "hand",
        "places": "0.2500:1.0000",
        "milliseconds": 1500,
        "texts": labels.key.texts["en"],
    }
    assert second["texts"] == labels.key.texts["ko"] and second["places"] == ""


def test_what_is_refused_is_not_stored(labels: Labels, serve: Serve) -> None:
    address = serve(labels)
    assert post(address, sent(labels, answer(0))).status_code == 201
    mark = {"kind": "hand", "x": 0.5, "y": 0.5}
    refused = [
        sent(labels, answer(0, "unsure")),  # Another answer about the same picture.
        sent(labels, answer(2)),  # One is left out.
        sent(labels, answer(1), answer(3)),
        sent(labels, answer(6)),  # There are six pictures.
        sent(labels, answer(1), design="0" * 16),
        sent(labels, answer(1), rater="a" * 13),
        sent(labels, answer(1), rater="../../x"),
        sent(labels),
        sent(labels, answer(1, "wrong", marks=[])),
        sent(labels, answer(1, "nothing", marks=[mark])),
        sent(labels, answer(1, "wrong", marks=[mark | {"x": 1.01}])),
        sent(labels, answer(1, "wrong", marks=[mark | {"kind": "third_arm"}])),
        sent(labels, answer(1, "wrong", marks=[mark] * 51)),
        sent(labels, answer(1, milliseconds=-1)),
        sent(labels, answer(1, milliseconds="9")),
        sent(labels, answer(1, language="fr")),
        sent(labels, answer(1, comment="<script>")),
        b"[" * 1000,
        json.dumps(sent(labels, answer(1))).encode() + b" " * 10_000,
    ]
    replies = [post(address, content) for content in refused]
    assert Counter(reply.status_code for reply in replies) == {409: 2, 413: 1, 422: 16}
    assert not any("script" in reply.text or "third_arm" in reply.text for reply in replies)
    assert stored(labels) == ["nothing"]
    assert httpx.get(f"{address}/answered/..%2f..%2fkey").status_code == 404
    assert [path.name for path in labels.journals.iterdir()] == [f"{next(iter(labels.key.raters))}.jsonl"]


def test_of_many_at_once_one_is_stored(labels: Labels, serve: Serve) -> None:
    address = serve(labels)
    bodies = [sent(labels, answer(0, milliseconds=1000 + number)) for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        statuses = Counter(reply.status_code for reply in pool.map(lambda body: post(address, body), bodies))
    assert statuses == {201: 1, 409: 19} and len(stored(labels)) == 1


def test_a_line_that_a_kill_cut_off_is_lost_alone(labels: Labels) -> None:
    labels.desk.take(json.dumps(sent(labels, answer(0), answer(1, "unsure"))).encode())
    path = labels.desk.journal(next(iter(labels.key.raters)))
    path.write_bytes(path.read_bytes()[:-20])
    assert stored(labels) == ["nothing"]
    labels.desk.take(json.dumps(sent(labels, answer(1, "wrong"))).encode())
    assert stored(labels) == ["nothing", "wrong"]


def test_an_import_goes_on_and_never_changes_what_is_there(labels: Labels, tmp_path: Path) -> None:
    folder, code = tmp_path / "labels", next(iter(labels.key.raters))
    folder.mkdir()
    assert import_journals(labels.journals, folder, label_table) == []
    labels.desk.take(json.dumps(sent(labels, answer(0, "wrong"))).encode())
    assert import_journals(labels.journals, folder, label_table) == [folder / f"{code}.csv"]
    assert read_labels(folder)["answer"].tolist() == ["wrong"]
    labels.desk.take(json.dumps(sent(labels, answer(1))).encode())
    import_journals(labels.journals, folder, label_table)
    import_journals(labels.journals, folder, label_table)
    assert read_labels(folder, texts=labels.key.texts.values())["answer"].tolist() == ["wrong", "nothing"]
    rows = journal_rows(labels.desk.journal(code))
    rows[0]["answer"], rows[0]["kinds"], rows[0]["places"] = "unsure", "", ""
    with pytest.raises(AlreadyStored, match="holds other answers of this person"):
        import_rows(folder / f"{code}.csv", rows, label_table)
    # What is there is more than what comes: it stays.
    import_rows(folder / f"{code}.csv", journal_rows(labels.desk.journal(code))[:1], label_table)
    assert len(read_labels(folder)) == 2


def test_nothing_tells_whose_picture_it_is(labels: Labels, serve: Serve) -> None:
    address = serve(labels)
    files = {path.relative_to(labels.site).as_posix(): path for path in labels.site.rglob("*") if path.is_file()}
    images = {name: path for name, path in files.items() if name.startswith("images/")}
    assert len(images) == len(set(labels.design["picture"])) + 1  # And the gold picture.
    for name, path in images.items():
        assert len(path.stem) == 20 and path.suffix == ".jpg"
        opened = Image.open(path)
        assert opened.size == (512, 512) and not opened.getexif() and "comment" not in opened.info
        reply = httpx.get(f"{address}/{name}")
        assert reply.headers["content-type"] == "image/jpeg" and "immutable" in reply.headers["cache-control"]
        assert reply.headers["last-modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    plans = [path.read_text() for name, path in files.items() if name.startswith("plans/")]
    words = ("base", "tuned", "gold", "repeat", "lying", "grass", "held")
    assert len(plans) == 3 and not any(word in plan for plan in plans for word in words)
    assert httpx.get(f"{address}/plans/{next(iter(labels.key.raters))}.js").headers["cache-control"] == "no-store"


def test_the_key_says_which_picture_each_name_is(labels: Labels) -> None:
    sources = {row.picture: row.path for row in labels.design.itertuples()}
    for code, showings in labels.key.raters.items():
        text = (labels.site / "plans" / f"{code}.js").read_text()
        plan = json.loads(text.removeprefix("window.labelPlan = ").removesuffix(";\n"))
        assert plan["rater"] == code and plan["design"] == labels.key.design
        for name, one in zip(plan["pictures"], showings, strict=True):
            if one.gold:
                continue
            source = np.asarray(Image.open(str(sources[one.picture])), dtype=int)
            assert hashlib.sha256(Path(str(sources[one.picture])).read_bytes()).hexdigest() == one.picture
            shown = np.asarray(Image.open(labels.site / "images" / name), dtype=int)
            assert np.abs(shown - source).mean() < 3


def test_the_design_has_another_name_when_anything_in_it_changes(tmp_path: Path) -> None:
    def name(number: int, **changes: Any) -> str:
        (tmp_path / str(number)).mkdir()
        return build_label_page(tmp_path / str(number), **changes).key.design

    designs = [name(0), name(1), name(2, seed=6), name(3, languages=["en"]), name(4, repeats=0), name(5, raters=2)]
    assert designs[0] == designs[1] and len(set(designs[1:])) == 5


def test_keys_and_files_of_labels_and_survey_are_told_apart(labels: Labels, tmp_path: Path) -> None:
    (tmp_path / "survey").mkdir()
    survey = build(tmp_path / "survey", 2)
    write_key(tmp_path / "labels.json", labels.key)
    write_key(tmp_path / "survey.json", survey.key)
    assert read_key(tmp_path / "labels.json", LabelKey) == labels.key
    for name, kind, stage in (("labels", SurveyKey, "survey"), ("survey", LabelKey, "label")):
        with pytest.raises(ValueError, match=f"is not the key of stage {stage}: run `dvc repro {stage}`"):
            read_key(tmp_path / f"{name}.json", kind)
    assert is_label_file(json.dumps(sent(labels, answer())).encode())
    assert not is_label_file(json.dumps(answers_of(survey, next(iter(survey.key.participants)))).encode())
    assert not is_label_file(b"{") and not is_label_file(b"[]")


def test_a_desk_knows_how_far_each_rater_is(labels: Labels) -> None:
    desk: LabelDesk = labels.desk
    code = next(iter(desk.codes))
    desk.take(json.dumps(sent(labels, answer(0))).encode())
    assert (desk.answered(code), desk.asked(code)) == (1, 6)
