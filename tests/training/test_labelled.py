"""Pictures that people labelled, as what `train.method: labels` learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomend.labelling.records import COLUMNS, write_labels
from anomend.params.profiles import resolve
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.training.labelled import labelled_pictures
from tests.diffusion.tiny import tiny_transformer
from tests.parameters import PROFILES

GRASS, STREET, BEACH = "lying on the grass", "lying on the street", "lying on the beach"


def params(**changes: Any) -> Any:
    labelled = {"pictures": "data/labelled", "labels": "data/labels"}
    return resolve({"profile": "mini", "train": {"method": "labels", "labelled": labelled}} | changes, PROFILES)


def pictures(folder: Path, prompts: list[str], *, first_seed: int = 40000, side: int = 64) -> list[str]:
    """An image set of the base; returns the SHA-256 of each picture."""
    writer = ImageFolderWriter(folder)
    for index, prompt in enumerate(prompts):
        image = np.full((side, side, 3), 20 * index, np.uint8)
        writer.add(
            f"{index}.png", image, text=f"a photo of {prompt}", prompt=prompt, seed=first_seed + index, source="base"
        )
    writer.close()
    return [row["sha256"] for row in writer.rows]


def label(folder: Path, rows: list[tuple[str, str, str]], name: str = "one.csv", **values: Any) -> None:
    """A file of labels: picture, rater, answer."""
    about = {"kinds": "", "places": "", "milliseconds": 2000.0, "texts": "v1", "showing": 0, "gold": ""} | values
    table = [{"picture": picture, "rater": rater, "answer": answer, **about} for picture, rater, answer in rows]
    write_labels(folder / name, pd.DataFrame(table, columns=list(COLUMNS)))


def test_the_reward_is_the_mean_of_the_labels(tmp_path: Path) -> None:
    a, b, c, d, e = pictures(tmp_path / "pictures", [GRASS, GRASS, STREET, BEACH, STREET])
    rows = [(a, "r1", "nothing"), (a, "r2", "nothing"), (b, "r1", "wrong"), (b, "r2", "unsure"), (c, "r1", "wrong")]
    label(tmp_path / "labels", [*rows, (d, "r1", "nothing")])
    # Repeats, gold pictures and labels of other pictures do not count; the last picture has no label.
    label(tmp_path / "labels", [(a, "r1", "wrong")], "again.csv", showing=1)
    label(tmp_path / "labels", [(e, "r1", "wrong")], "gold.csv", gold="wrong")
    label(tmp_path / "labels", [("0" * 64, "r3", "wrong")], "other.csv")
    get, digest = labelled_pictures(params(), tmp_path / "pictures", tmp_path / "labels")
    found = get(tiny_transformer(), 0)
    assert found.ids == ["0.png", "1.png", "2.png"] and found.prompts == [GRASS, GRASS, STREET]
    assert found.rewards.tolist() == [1.0, 0.25, 0.0]
    assert [int(image[0, 0, 0]) for image in found.images] == [0, 20, 40]
    label(tmp_path / "labels", [(c, "r2", "nothing")], "more.csv")
    assert labelled_pictures(params(), tmp_path / "pictures", tmp_path / "labels")[1] != digest


def test_raters_who_fail_are_left_out(tmp_path: Path) -> None:
    a, b = pictures(tmp_path / "pictures", [GRASS, STREET])
    label(tmp_path / "labels", [(a, "r1", "nothing"), (b, "r1", "wrong")])
    label(tmp_path / "labels", [(a, "hasty", "wrong"), (b, "hasty", "nothing")], "hasty.csv", milliseconds=100.0)
    get, _ = labelled_pictures(params(), tmp_path / "pictures", tmp_path / "labels")
    assert get(tiny_transformer(), 0).rewards.tolist() == [1.0, 0.0]


def test_pictures_that_the_result_is_judged_by_are_refused(tmp_path: Path) -> None:
    a, b = pictures(tmp_path / "pictures", [GRASS, GRASS], first_seed=20158)
    label(tmp_path / "labels", [(a, "r1", "wrong"), (b, "r1", "nothing")])
    with pytest.raises(ValueError, match=r"0\.png has seed 20158, one of sample\.first_seed = 20000: .* judged by"):
        labelled_pictures(params(), tmp_path / "pictures", tmp_path / "labels")
    labelled_pictures(params(sample={"first_seed": 30000}), tmp_path / "pictures", tmp_path / "labels")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["wrong", "wrong"], "call 2 pictures of the target prompts .* all the same: right and wrong ones are needed"),
        ([], "call 0 pictures .* anything: right and wrong ones are needed"),
    ],
)
def test_labels_that_say_nothing_are_refused(tmp_path: Path, answers: list[str], said: str) -> None:
    shas = pictures(tmp_path / "pictures", [GRASS, STREET])
    label(tmp_path / "labels", [(sha, "r1", answer) for sha, answer in zip(shas, answers, strict=False)])
    with pytest.raises(ValueError, match=said):
        labelled_pictures(params(), tmp_path / "pictures", tmp_path / "labels")


def test_a_picture_of_another_size_is_refused(tmp_path: Path) -> None:
    a, b = pictures(tmp_path / "pictures", [GRASS, STREET], side=32)
    label(tmp_path / "labels", [(a, "r1", "wrong"), (b, "r1", "nothing")])
    with pytest.raises(ValueError, match=r"0\.png is 32 x 32, and base\.resolution is 64"):
        labelled_pictures(params(), tmp_path / "pictures", tmp_path / "labels")
