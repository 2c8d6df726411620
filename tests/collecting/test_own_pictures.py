"""A user's own folder through DVC: `dvc exp run -S collect.source=folder`, as they would type it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from anomend.pictures.image_sets import read_imagefolder
from tests.clones import clone, run
from tests.collecting.pictures import fill

pytestmark = pytest.mark.slow


def test_every_kind_of_picture_goes_through_and_the_bad_ones_are_named(tmp_path: Path) -> None:
    project = clone(tmp_path / "project")
    own = tmp_path / "my own pictures, été"
    shown = fill(own)
    changes = ["collect.source=folder", f"collect.folder.path='{own}'", "collect.images=20"]
    changes += ["collect.folder.caption='lying on the grass'"]
    changes += ["curate.detector=drawn_people", "curate.min_kept=3"]
    options = [word for change in changes for word in ("-S", change)]
    done = run(project, "dvc", "exp", "run", *options, "curate")
    output = done.stdout + done.stderr
    assert "skipped corrupt.png: broken or cut off" in output
    assert "skipped notes.txt: not a JPEG, PNG or WebP picture" in output
    assert "turned.jpeg: turned upright" in output and "print.jpg: CMYK" in output
    assert "alpha.png: transparency on white" in output and "grey.png: greyscale" in output

    collected = read_imagefolder(project / "data" / "collected")
    assert set(collected["original"]) == set(shown) and len(shown) == 7
    metrics = json.loads((project / "metrics" / "collect.json").read_text())
    assert metrics["images"] == 7 and metrics["skipped"] == 2 and metrics["spend_usd"] == 0
    named = {each["name"] for each in metrics["provenance"]["skipped"]}
    assert named == {"corrupt.png", "notes.txt"}
    table = pd.read_csv(project / "metrics" / "plots" / "curation.csv")
    assert len(table) == 7 and table["reasons"].isna().sum() >= 3
