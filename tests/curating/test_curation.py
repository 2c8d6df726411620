"""The stage `curate` on collected drawings: table, contact sheet, kept images, decisions by hand."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from anomend.pictures.image_sets import ImageFolderWriter, load_image, read_imagefolder
from tests.clones import environment
from tests.collecting.pictures import drawing
from tests.conftest import ROOT
from tests.parameters import params_of, write_params


def curate(folder: Path, raw: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    write_params(folder, params_of(raw))
    variables = environment() | {"PYTHONPATH": str(ROOT)}
    command = ["python", "-m", "stages.curate"]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    """Seven drawings: four right ones, one without arms, one twice, one without a person; the last from a folder."""
    writer = ImageFolderWriter(tmp_path / "data/collected")
    images = [drawing(number) for number in range(4)]
    bad = drawing(4).copy()
    bad[(bad[..., 0] > 150) & (bad[..., 1] < 90)] = (90, 150, 90)
    images += [bad, images[0], np.full((64, 64, 3), (90, 150, 90), np.uint8)]
    for number, image in enumerate(images):
        extra = {"original": "lawn.png", "changes": []} if number == 6 else {"seed": number}
        writer.add(f"{number:04d}.png", image, text="lying on the grass", prompt="p", source="drawn_people", **extra)
    writer.close()
    return tmp_path


@pytest.mark.slow
def test_one_row_per_image_a_sheet_and_the_kept_images(collected: Path, raw_params: dict[str, Any]) -> None:
    raw_params["curate"] |= {"min_kept": 3}
    done = curate(collected, raw_params)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(collected / "metrics/plots/curation.csv")
    assert list(table["kept"]) == [1, 1, 1, 1, 0, 0, 0]
    reasons = list(table["reasons"].fillna(""))
    assert reasons[:4] == [""] * 4 and "missing_arm" in reasons[4]
    assert reasons[5] == "near-duplicate of 0000.png (0 bits)" and "nobody" in reasons[6]
    assert table.loc[6, "original"] == "lawn.png" and set(table["detector"]) == {"drawn_people"}
    kept = read_imagefolder(collected / "data/instance")
    assert list(kept["file_name"]) == [f"{number:04d}.png" for number in range(4)]
    # The set holds no key of another source's images, and the pixels are those that were collected.
    assert list(kept.columns) == ["file_name", "text", "prompt", "source", "seed", "sha256", "path"]
    assert np.array_equal(load_image(kept["path"][0]), drawing(0))
    metrics = json.loads((collected / "metrics/curate.json").read_text())
    assert (metrics["collected"], metrics["kept"], metrics["rejected"]) == (7, 4, 3)
    assert metrics["reasons"]["duplicate"] == 1 and metrics["reasons"]["persons"] == 1
    with Image.open(collected / "metrics/plots/curation.jpg") as sheet:
        assert sheet.width > 6 * 192 and sheet.height > 2 * 192


@pytest.mark.slow
def test_too_few_is_one_sentence_and_the_table_is_there(collected: Path, raw_params: dict[str, Any]) -> None:
    (collected / "data/decisions.csv").write_text("image,decision,note\nlawn.png,keep,lovely grass\n")
    raw_params["curate"] |= {"min_kept": 6}
    done = curate(collected, raw_params)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "only 5 of 7 collected images are good enough, curate.min_kept is 6" in done.stderr
    assert "near-duplicate 1 (curate.criteria.min_distance)" in done.stderr and "anomalous 1" in done.stderr
    table = pd.read_csv(collected / "metrics/plots/curation.csv")
    assert table.loc[6, "kept"] == 1 and table.loc[6, "reasons"].startswith("kept by hand: lovely grass")
    assert not (collected / "data/instance").exists()


@pytest.mark.slow
def test_none_good_enough_names_the_criteria_and_how_to_loosen_them(
    collected: Path, raw_params: dict[str, Any]
) -> None:
    raw_params["curate"] |= {"detector": "none"}
    raw_params["curate"]["criteria"] |= {"min_sharpness": 1.0}
    done = curate(collected, raw_params)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert last.startswith("curate: none of 7 collected images is good enough, curate.min_kept is 5; rejected: ")
    assert "blurred 7 (curate.criteria.min_sharpness)" in last and "data/decisions.csv" in last
