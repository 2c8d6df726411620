"""What is recorded of collecting: a row per file with where it and its caption came from, and bounded counts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomend.collecting import collection
from anomend.collecting.collection import collect
from anomend.collecting.image import FolderSettings, Skipped, SourceImage, SourceSettings
from anomend.collecting.record import FILES_TABLE, NAMED, CollectionRecord
from anomend.pictures.image_sets import read_imagefolder
from tests.collecting.test_captions import GRASS, PROMPTS, STREET, picture
from tests.parameters import params_of


def image(text: str, prompt: str, kind: str = "prompt", **provenance: object) -> SourceImage:
    return SourceImage(
        image=np.zeros((4, 4, 3), np.uint8), text=text, prompt=prompt, provenance=provenance, caption_kind=kind
    )


def test_every_file_has_a_row_and_the_counts_are_those_of_the_rows(
    tmp_path: Path, raw_params: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own"
    for number, name in enumerate(("a.png", "lying_on_the_grass/b.png", "c.png")):
        picture(own / name, 50 * number)
    (own / "a.txt").write_text(GRASS)
    (own / "c.txt").write_bytes(b"\xe9")
    (own / "d.png").write_bytes(b"nothing")
    params = params_of(raw_params).collect.model_copy(update={"source": "folder", "mix": {}})
    settings = SourceSettings(folder=FolderSettings(path=own))
    done = collect(PROMPTS, params, settings, folder=tmp_path / "collected")
    with (tmp_path / "collected" / FILES_TABLE).open(newline="", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert {name: (row["outcome"], row["caption_from"], row["caption"]) for name, row in rows.items()} == {
        "a.png": ("read", "a.txt", GRASS),
        "lying_on_the_grass/b.png": ("read", "lying_on_the_grass/", GRASS),
        "c.png": ("left out", "", ""),
        "d.png": ("left out", "", ""),
    }
    assert "c.txt is not UTF-8" in rows["c.png"]["reason"]
    assert done.metrics == {
        "images": 2,
        "spend_usd": 0.0,
        "requests_paid": 0,
        "requests_from_store": 0,
        "sources": {"folder": 2},
        "skipped": 2,
        "left_out": {"caption": 1, "not_a_picture": 1},
        "captions": {"folder": 1, "text_file": 1},
        "prompts": {"lying_on_the_grass": 2, "lying_on_the_street": 0},
    }
    assert f"no image was collected for the target prompt {STREET!r}" in capsys.readouterr().err
    table = read_imagefolder(tmp_path / "collected")
    assert {row["file_name"] for row in rows.values() if row["file_name"]} == set(table["file_name"])


def test_the_metric_file_names_the_first_fifty_and_says_how_many_more_there_are() -> None:
    record = CollectionRecord(PROMPTS)
    for number in range(NAMED + 7):
        record.leave_out("folder", Skipped(f"{number}.png", "beyond", kind="beyond"))
    assert len(record.skipped()) == NAMED + 1 and record.skipped()[-1]["name"] == "7 more"
    assert record.metrics(["folder"])["left_out"] == {"beyond": NAMED + 7}


def test_a_caption_of_two_prompts_is_for_both() -> None:
    record = CollectionRecord(PROMPTS)
    both = f"{GRASS} or {STREET}"
    record.take("folder", "0.png", image(both, both, "fallback"))
    assert record.prompts_without_image() == [] and record.metrics(["folder"])["captions"] == {"fallback": 1}


def test_a_prompt_in_other_capitals_is_answered() -> None:
    record = CollectionRecord(PROMPTS)
    both = f"{GRASS.title()} or {STREET.upper()}"
    record.take("folder", "0.png", image(both, both, "text_file"))
    assert record.prompts_without_image() == []


def test_a_folder_that_cannot_be_read_stops_before_anything_is_bought(
    tmp_path: Path, raw_params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection, "_from_source", lambda **_: pytest.fail("a source was asked for images"))
    params = params_of(raw_params).collect.model_copy(update={"source": "drawn_people", "mix": {"folder": 3}})
    settings = SourceSettings(folder=FolderSettings(path=tmp_path / "own"))
    with pytest.raises(ValueError, match="there is no folder"):
        collect(PROMPTS, params, settings, folder=tmp_path / "collected")
