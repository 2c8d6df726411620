"""The stage `collect`: several sources in one imagefolder, and what was left out in the metrics."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from anomend.pictures.image_sets import read_imagefolder
from tests.clones import environment
from tests.collecting.pictures import fill
from tests.conftest import ROOT
from tests.parameters import params_of, write_params


def collect(folder: Path, raw: dict[str, Any], **changes: Any) -> subprocess.CompletedProcess[str]:
    """Run the stage in a folder, with `collect` changed."""
    raw["collect"] |= changes
    write_params(folder, params_of(raw))
    own = environment() | {"PYTHONPATH": str(ROOT)}
    own.pop("ANOMEND_PAPER_IMAGES", None)
    command = ["python", "-m", "stages.collect"]
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_sources_are_mixed_with_their_counts(tmp_path: Path, raw_params: dict[str, Any]) -> None:
    fill(tmp_path / "data/own")
    raw_params["collect"]["folder"]["caption"] = "lying on the grass"
    done = collect(tmp_path, raw_params, images=4, mix={"folder": 10})
    assert done.returncode == 0, done.stderr
    table = read_imagefolder(tmp_path / "data/collected")
    assert list(table["source"]) == ["drawn_people"] * 4 + ["folder"] * 7
    assert list(table["file_name"]) == [f"{index:04d}.png" for index in range(11)]
    metrics = json.loads((tmp_path / "metrics/collect.json").read_text())
    assert (
        metrics["images"] == 11 and metrics["sources"] == {"drawn_people": 4, "folder": 7} and metrics["skipped"] == 2
    )
    assert [row["name"] for row in metrics["provenance"]["skipped"]] == ["corrupt.png", "notes.txt"]
    for said in ("skipped corrupt.png", "skipped notes.txt", "turned.jpeg: turned upright", "print.jpg: CMYK"):
        assert said in done.stderr


@pytest.mark.slow
def test_the_paper_without_its_images_is_one_sentence(tmp_path: Path, raw_params: dict[str, Any]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/paper").symlink_to(ROOT / "data/paper")
    done = collect(tmp_path, raw_params, source="paper", paper={"path": str(tmp_path)})
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "make paper-images" in done.stderr.strip().splitlines()[-1]
