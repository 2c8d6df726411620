"""Label Studio's and Rapidata's formats, on examples in the form that their makers document."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from anomend.labelling.label_studio import interface, labels_from_export, tasks
from anomend.labelling.other_tools import ShownPicture, opaque_rater, picture_named, rater_key
from anomend.labelling.rapidata import job, labels_from_results
from anomend.labelling.records import ANSWERS, COLUMNS, KINDS, label_csv
from anomend.labelling.texts import read_texts

PICTURES = {
    "aaaaaaaaaaaaaaaaaaaa.jpg": ShownPicture("a" * 64, ""),
    "bbbbbbbbbbbbbbbbbbbb.jpg": ShownPicture("b" * 64, "wrong"),
}
KEY = b"key"
ENGLISH, GERMAN = read_texts(["en", "de"])


def point(kind: str, x: float, y: float) -> dict[str, Any]:
    return {
        "original_width": 1024,
        "original_height": 1024,
        "image_rotation": 0,
        "value": {"x": x, "y": y, "width": 0.5, "keypointlabels": [kind]},
        "id": "Dx_aB91ISN",
        "from_name": "kind",
        "to_name": "image",
        "type": "keypointlabels",
    }


def choice(answer: str) -> dict[str, Any]:
    return {
        "value": {"choices": [answer]},
        "id": "a1",
        "from_name": "answer",
        "to_name": "image",
        "type": "choices",
    }


def annotation(*results: dict[str, Any], by: Any = 10, **fields: Any) -> dict[str, Any]:
    return {
        "id": 1001,
        "result": [*results],
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-03-09T22:16:08.728353Z",
        "updated_at": "2026-03-09T22:16:08.728378Z",
        "lead_time": 4.288,
        "result_count": len(results),
        "task": 1,
        "completed_by": by,
    } | fields


EXPORT: list[dict[str, Any]] = [
    {
        "id": 1,
        "created_at": "2026-03-09T21:52:49.513742Z",
        "updated_at": "2026-03-09T22:16:08.746926Z",
        "project": 83,
        "data": {"image": "/data/local-files/?d=images/aaaaaaaaaaaaaaaaaaaa.jpg", "texts": "de-123"},
        "annotations": [
            annotation(point("hand", 25.5, 100.0), choice("wrong"), point("Arm oder Bein zu viel", 0, 50)),
            annotation(choice("nothing"), by={"id": 11, "email": "ann@example.org"}, lead_time=None),
            annotation(was_cancelled=True, by=12),
        ],
        "predictions": [],
    },
    {
        "id": 2,
        "data": {"image": "/data/upload/83/e875f554-bbbbbbbbbbbbbbbbbbbb.jpg"},
        "annotations": [annotation(choice("unsure"))],
    },
]


def test_label_studios_export_becomes_labels() -> None:
    rows = labels_from_export(EXPORT, PICTURES, key=KEY, texts=[ENGLISH, GERMAN])
    ten, eleven = opaque_rater("label-studio", "10", KEY), opaque_rater("label-studio", "11", KEY)
    common = {"showing": 0, "gold": ""}
    assert rows == [
        common
        | {
            "picture": "a" * 64,
            "rater": ten,
            "answer": "wrong",
            "kinds": "hand extra_limb",
            "places": "0.2550:1.0000 0.0000:0.5000",
            "milliseconds": 4288,
            "texts": "de-123",
        },
        common
        | {
            "picture": "a" * 64,
            "rater": eleven,
            "answer": "nothing",
            "kinds": "",
            "places": "",
            "milliseconds": None,
            "texts": "de-123",
        },
        common
        | {
            "picture": "b" * 64,
            "rater": ten,
            "answer": "unsure",
            "kinds": "",
            "places": "",
            "milliseconds": 4288,
            "texts": ENGLISH.version,
            "gold": "wrong",
        },
    ]
    content = label_csv(Path("x.csv"), pd.DataFrame(rows, columns=list(COLUMNS)))
    assert "example.org" not in content and content.count("\n") == 4


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda export: export[0]["annotations"][0]["result"].pop(1), "annotation 1001 has 0 answers"),
        (lambda export: export[0]["annotations"][0]["result"].append(choice("nothing")), "has 2 answers"),
        (lambda export: export[1]["data"].update(image="c.jpg"), "'c.jpg' is not a picture of this design"),
        (lambda export: export.append({"image": "x", "answer": "nothing"}), "not Label Studio's JSON export"),
    ],
)
def test_another_export_is_refused(change: Any, sentence: str) -> None:
    export = copy.deepcopy(EXPORT)
    change(export)
    with pytest.raises(ValueError, match=sentence):
        labels_from_export(export, PICTURES, key=KEY, texts=[ENGLISH, GERMAN])


def test_label_studio_is_given_our_question_and_blind_names() -> None:
    made = tasks(PICTURES, GERMAN, images="https://pictures.example/")
    assert [task["data"]["image"] for task in made] == [f"https://pictures.example/{name}" for name in PICTURES]
    assert {task["data"]["texts"] for task in made} == {GERMAN.version}
    view = ElementTree.fromstring(interface(GERMAN))
    assert [one.get("alias") for one in view.findall("Choices/Choice")] == list(ANSWERS)
    assert [one.get("alias") for one in view.findall("KeyPointLabels/Label")] == list(KINDS)
    header, image = view.find("Header"), view.find("Image")
    assert header is not None and header.get("value") == "Stimmt etwas am Körper nicht?"
    assert image is not None and (image.get("name"), image.get("value")) == ("image", "$image")
    names = [one.get("name") for one in view if one.get("name")]
    assert len(names) == len(set(names))


def answered(category: str) -> dict[str, Any]:
    return {
        "selectedCategory": category,
        "userDetails": {"country": "EG", "language": "ar", "userScores": {"global": 0.7608}, "demographics": {}},
    }


DETAILED = [answered("Something is wrong"), answered("Something is wrong"), answered("Not sure")]
COUNTS = {"Nothing is wrong": 0, "Not sure": 1, "Something is wrong": 2}
VERSION_3 = {
    "info": {"createdAt": "2099-12-30T00:00:00.000000+00:00", "version": "3.0.0"},
    "results": {
        "globalAggregatedData": COUNTS,
        "data": [
            {
                "originalFileName": "aaaaaaaaaaaaaaaaaaaa.jpg",
                "aggregatedResults": COUNTS,
                "detailedResults": DETAILED,
            }
        ],
    },
}
VERSION_4 = {
    "info": {"createdAt": "2026-07-13T11:07:53.577348+00:00", "version": "4.0.0", "type": "Classify"},
    "results": [
        {
            "assetUrls": {"aaaaaaaaaaaaaaaaaaaa.jpg": "https://assets.rapidata.ai/f8bb5e14.jpg"},
            "aggregatedResults": COUNTS,
            "detailedResults": DETAILED,
        }
    ],
}


@pytest.mark.parametrize("results", [VERSION_3, VERSION_4], ids=["3", "4"])
def test_rapidatas_results_become_labels_of_raters_that_nobody_knows(results: Any) -> None:
    rows = labels_from_results(results, PICTURES, texts=[GERMAN, ENGLISH])
    assert [row["answer"] for row in rows] == ["wrong", "wrong", "unsure"]
    assert {row["picture"] for row in rows} == {"a" * 64} and {row["texts"] for row in rows} == {ENGLISH.version}
    assert len({row["rater"] for row in rows}) == 3
    content = label_csv(Path("x.csv"), pd.DataFrame(rows, columns=list(COLUMNS)))
    assert "EG" not in content and ",,,en-" in content


def test_other_results_of_rapidata_are_refused() -> None:
    with pytest.raises(ValueError, match="with its single answers"):
        labels_from_results({"results": [{"aggregatedResults": COUNTS}]}, PICTURES, texts=[ENGLISH])
    with pytest.raises(ValueError, match="the answer 'Something is wrong' is none of ours"):
        labels_from_results(VERSION_4, PICTURES, texts=[GERMAN])


def test_rapidatas_job_has_the_names_of_its_own_arguments() -> None:
    made = job(PICTURES, ENGLISH, images="labelling/images/", responses=5)
    assert made == {
        "name": "Is anything wrong with the body?",
        "instruction": "Is anything wrong with the body?",
        "answer_options": ["Nothing is wrong", "Not sure", "Something is wrong"],
        "datapoints": [f"labelling/images/{name}" for name in PICTURES],
        "responses_per_datapoint": 5,
    }


def test_ids_are_the_same_for_the_same_person_and_key_alone(tmp_path: Path) -> None:
    key = rater_key(tmp_path / ".rater_key")
    assert rater_key(tmp_path / ".rater_key") == key and rater_key(tmp_path / "other") != key
    assert (tmp_path / ".rater_key").stat().st_mode & 0o077 == 0
    ids = {opaque_rater("label-studio", who, secret) for who in ("10", "11") for secret in (key, b"other")}
    assert len(ids) == 4


@pytest.mark.parametrize(
    "address",
    [
        "aaaaaaaaaaaaaaaaaaaa.jpg",
        "https://pictures.example/x/aaaaaaaaaaaaaaaaaaaa.jpg?token=1",
        "/data/local-files/?d=images/aaaaaaaaaaaaaaaaaaaa.jpg",
        "/data/upload/83/e875f554-aaaaaaaaaaaaaaaaaaaa.jpg",
    ],
)
def test_a_picture_is_known_by_its_name(address: str) -> None:
    assert picture_named(address, PICTURES).picture == "a" * 64
