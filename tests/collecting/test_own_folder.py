"""A user's own folder from `dvc exp run` to the contact sheet, in a clone whose path has a space and an umlaut."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from anomend.pictures.image_sets import read_imagefolder
from tests.clones import clone, run
from tests.collecting.pictures import drawing, fill

pytestmark = pytest.mark.slow
MARKUP = "<img src=x onerror=alert(1)> {{ 7*7 }} | $x$.png"
MEADOW = "Fotos von früher/am Fluß 草地.png"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = clone(tmp_path_factory.mktemp("own") / "meine Bilder Ä")
    fill(folder / "data/own")
    for number, name in enumerate((MARKUP, MEADOW), start=7):
        (folder / "data/own" / name).parent.mkdir(exist_ok=True)
        Image.fromarray(drawing(number)).save(folder / "data/own" / name)
    changes = [
        "collect.source=folder",
        "collect.images=20",
        "collect.folder.caption='lying on the grass'",
        "curate.detector=drawn_people",
        "curate.min_kept=1",
    ]
    words = [word for change in changes for word in ("-S", change)]
    done = run(folder, "dvc", "exp", "run", *words, "curate")
    (folder / "said").write_text(done.stdout + done.stderr)
    return folder


def test_each_file_is_taken_or_reported(own: Path) -> None:
    table = read_imagefolder(own / "data/collected")
    names = {"exact.png", "lossless.webp", "photo.jpg", "turned.jpeg", "alpha.png", "grey.png", "print.jpg"}
    assert set(table["original"]) == names | {MARKUP, MEADOW}
    said = (own / "said").read_text()
    for line in (
        "turned.jpeg: turned upright",
        "alpha.png: transparency on white",
        "grey.png: greyscale",
        "print.jpg: CMYK",
        "skipped corrupt.png: broken or cut off",
        "skipped notes.txt: not a JPEG, PNG or WebP picture",
    ):
        assert line in said
    metrics = json.loads((own / "metrics/collect.json").read_text())
    assert metrics["images"] == 9 and [row["name"] for row in metrics["provenance"]["skipped"]] == [
        "corrupt.png",
        "notes.txt",
    ]
    upright = table.set_index("original").loc["turned.jpeg", "path"]
    assert np.abs(np.asarray(Image.open(upright)).astype(int) - drawing(3)).max() <= 12


def test_the_curation_tells_of_each_and_keeps_the_good_ones(own: Path) -> None:
    table = pd.read_csv(own / "metrics/plots/curation.csv").set_index("original")
    assert len(table) == 9 and {MARKUP, MEADOW} <= set(table.index)
    assert table.loc[[MARKUP, MEADOW, "exact.png"], "kept"].tolist() == [1, 1, 1]
    rejected = table[table["kept"] == 0]
    assert (rejected["reasons"].str.len() > 0).all()
    assert len(read_imagefolder(own / "data/instance")) == table["kept"].sum()


def test_nothing_of_the_users_is_in_git(own: Path) -> None:
    listed = run(own, "git", "-c", "core.quotepath=off", "ls-files", "--others", "--exclude-standard").stdout
    assert "data/own" not in listed


def test_a_decision_about_a_file_that_is_not_there_stops_before_any_file_is_read(own: Path) -> None:
    before = (own / "data/decisions.csv").read_text()
    (own / "data/decisions.csv").write_text(before + "foto.jpg,reject,private\n")
    done = run(own, "dvc", "repro", "curate", check=False)
    (own / "data/decisions.csv").write_text(before)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "data/decisions.csv names 'foto.jpg', which is not among the collected files (is 'photo.jpg' meant?)" in (
        done.stderr
    )
