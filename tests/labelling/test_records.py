"""Labels in git: what is written is read back, and what is not allowed is named with file, line and fix."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from anomend.labelling.records import COLUMNS, kinds_of, place, places_of, read_labels, write_labels

PICTURE, OTHER = "a" * 64, "b" * 64
HEAD = ",".join(COLUMNS)


def line(**values: str) -> str:
    given = {
        "picture": PICTURE,
        "rater": "r1",
        "answer": "wrong",
        "kinds": "extra_limb extra_limb hand",
        "places": "0.25:0.8 1:0 0.5:0.5",
        "milliseconds": "2300",
        "texts": "en-1",
        "showing": "0",
        "gold": "",
    }
    return ",".join((given | values).values())


def write(folder: Path, *lines: str, name: str = "r1.csv") -> None:
    (folder / name).write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")


def test_types_and_values(tmp_path: Path) -> None:
    unknown = line(picture=OTHER, answer="nothing", kinds="", places="", milliseconds="", gold="nothing", showing="1")
    write(tmp_path, line(), unknown)
    labels = read_labels(tmp_path)
    assert list(labels.columns) == list(COLUMNS)
    assert labels["picture"].tolist() == [PICTURE, OTHER]
    assert labels["showing"].tolist() == [0, 1]
    assert labels["milliseconds"][0] == 2300.0 and math.isnan(labels["milliseconds"][1])
    assert labels["gold"].tolist() == ["", "nothing"]
    assert kinds_of(labels["kinds"][0]) == ["extra_limb", "extra_limb", "hand"]
    assert places_of(labels["places"][0]) == [(0.25, 0.8), (1.0, 0.0), (0.5, 0.5)]
    assert kinds_of(labels["kinds"][1]) == [] and places_of(labels["places"][1]) == []


def test_written_labels_are_read_back(tmp_path: Path) -> None:
    write(tmp_path, line(places=f"{place(0.25, 0.8)} {place(1, 0)} {place(1 / 3, 0.5)}"), line(picture=OTHER))
    labels = read_labels(tmp_path)
    (tmp_path / "again").mkdir()
    write_labels(tmp_path / "again" / "x.csv", labels)
    pd.testing.assert_frame_equal(read_labels(tmp_path / "again"), labels)


def test_no_files_are_no_labels(tmp_path: Path) -> None:
    assert len(read_labels(tmp_path)) == 0
    assert list(read_labels(tmp_path).columns) == list(COLUMNS)
    (tmp_path / ".r2.csv").write_text("half a file that is being written")
    assert len(read_labels(tmp_path)) == 0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"picture": "A" * 64}, "SHA-256"),
        ({"rater": "Ann Smith"}, "never a name"),
        ({"rater": "ann@example.org"}, "never a name"),
        ({"answer": "right"}, "one of nothing, unsure, wrong"),
        ({"kinds": "third_arm", "places": ""}, "unknown kind 'third_arm'"),
        ({"answer": "nothing"}, "answer is 'nothing'"),
        ({"places": "0.25:1.2 1:0 0:0"}, "from 0 to 1"),
        ({"places": "nan:0 1:0 0:0"}, "from 0 to 1"),
        ({"places": "0.2:0.2"}, "1 places for 3 kinds"),
        ({"milliseconds": "-3"}, "whole number"),
        ({"milliseconds": "²"}, "whole number"),
        ({"showing": "2"}, "showing = '2'"),
        ({"gold": "unsure"}, "gold = 'unsure'"),
        ({"texts": ""}, "no texts"),
    ],
)
def test_what_is_not_allowed_is_refused(values: dict[str, str], sentence: str, tmp_path: Path) -> None:
    write(tmp_path, line(picture=OTHER), line(**values))
    with pytest.raises(ValueError, match=r"line 3 of .*r1\.csv") as refused:
        read_labels(tmp_path)
    assert sentence in str(refused.value)


def test_a_second_answer_is_refused_across_files(tmp_path: Path) -> None:
    write(tmp_path, line())
    write(tmp_path, line(rater="r2"), line(showing="1"), line(answer="nothing", kinds="", places=""), name="r2.csv")
    with pytest.raises(ValueError, match=r"line 4 of .*r2.csv .* line 2 of .*r1.csv: keep one"):
        read_labels(tmp_path)
    with pytest.raises(ValueError, match="keep one"):
        write_labels(tmp_path / "x.csv", pd.concat([read_labels_of(tmp_path, "r1.csv")] * 2))


def read_labels_of(folder: Path, name: str) -> pd.DataFrame:
    (folder / "one").mkdir()
    (folder / "one" / name).write_bytes((folder / name).read_bytes())
    return read_labels(folder / "one")


def test_labels_of_other_texts_are_refused(tmp_path: Path) -> None:
    write(tmp_path, line(), line(rater="r2", texts="en-0"))
    assert len(read_labels(tmp_path)) == 2
    with pytest.raises(ValueError, match=r"line 3 of .* other texts \('en-0'\) than the design's \(de-1, en-1\)"):
        read_labels(tmp_path, texts=["en-1", "de-1"])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"label\.labels"):
        read_labels(tmp_path / "none")
