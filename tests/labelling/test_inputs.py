"""What stage `label` reads and writes beside the labels: gold pictures, texts, and the table of the design."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from anomend.labelling.design import DESIGN_COLUMNS, design_table, read_design, write_design
from anomend.labelling.gold import read_gold
from anomend.labelling.texts import FOLDER, read_texts, versions

LANGUAGES = ["en", "de", "ko"]


def test_gold_pictures(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(name.encode())
    (tmp_path / "gold.csv").write_text("file,answer\na.png,wrong\nb.png,nothing\n")
    assert read_gold(tmp_path) == {tmp_path / "a.png": "wrong", tmp_path / "b.png": "nothing"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("c.png,wrong", "names 'c.png', which is not a file"),
        ("../a.png,wrong", "names '../a.png', which is not a file"),
        ("a.png,unsure", "answer = 'unsure': write nothing or wrong"),
        ("same.png,wrong", "in the table already"),
    ],
)
def test_gold_that_is_refused(line: str, sentence: str, tmp_path: Path) -> None:
    folder = tmp_path / "gold"
    folder.mkdir()
    for path in (tmp_path / "a.png", folder / "a.png", folder / "same.png"):
        path.write_bytes(b"a")
    (folder / "gold.csv").write_text(f"file,answer\na.png,wrong\n{line}\n")
    with pytest.raises(ValueError, match=r"line 3 of .*gold\.csv") as refused:
        read_gold(folder)
    assert sentence in str(refused.value)


def test_all_languages_ask_and_show_the_same_things() -> None:
    texts = read_texts(LANGUAGES)
    assert versions() == sorted(text.version for text in texts)
    for part in ("asked", "page"):
        shapes = [shape(text.content[part]) for text in texts]
        assert shapes[0] == shapes[1] == shapes[2]
    for text in texts:
        words = text.content["page"]
        assert "{total}" in words["consent"][0] and "{kind}" in words["where"]
        assert "{done}" in words["progress"] and "{total}" in words["progress"]
        assert set(text.content["asked"]["examples"]) == {"nothing", *text.content["asked"]["kinds"]}


def shape(content: object) -> object:
    if isinstance(content, dict):
        return {key: shape(value) for key, value in content.items()}
    return len(content) if isinstance(content, list) else None


def test_the_version_changes_with_what_is_asked_and_not_with_other_words(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    shutil.copytree(FOLDER, folder)
    before = read_texts(["en"], folder)[0].version
    path = folder / "en.json"
    content = json.loads(path.read_text())
    content["page"]["thanks"] = "Thanks"
    path.write_text(json.dumps(content))
    assert read_texts(["en"], folder)[0].version == before
    content["asked"]["question"] = "Is nothing wrong with the body?"
    path.write_text(json.dumps(content))
    changed = read_texts(["en"], folder)[0].version
    assert changed != before and changed.startswith("en-")
    assert read_texts(["de"], folder)[0].version == read_texts(["de"])[0].version
    del content["asked"]["kinds"]["foot"]
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="lacks the text of an answer or kind"):
        read_texts(["en"], folder)


def test_the_design_is_written_and_read_back(tmp_path: Path) -> None:
    drawn = []
    for number, prompt in enumerate(["NA", "lying, on the grass"]):
        paths = {f"path_{model}": tmp_path / f"{model}{number}.png" for model in ("base", "tuned")}
        for path in paths.values():
            path.write_bytes(path.name.encode())
        drawn.append({"prompt": prompt, "seed": 7 + number, **paths})
    design = design_table(pd.DataFrame(drawn), group="held_out", showings=3)
    assert list(design.columns) == list(DESIGN_COLUMNS)
    assert design["model"].tolist() == ["base", "tuned", "base", "tuned"]
    assert design["pair"].tolist() == ["na-7", "na-7", "lying_on_the_grass-8", "lying_on_the_grass-8"]
    assert design["picture"][1] == hashlib.sha256(b"tuned0.png").hexdigest()
    write_design(tmp_path / "design.csv", design)
    pd.testing.assert_frame_equal(read_design(tmp_path / "design.csv"), design, check_dtype=False)
    with pytest.raises(ValueError, match="run `dvc repro label`"):
        read_design(tmp_path / "none.csv")
