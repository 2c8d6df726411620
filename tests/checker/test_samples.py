"""The table of images on which the two checkers disagree."""

from pathlib import Path

from PIL import Image

from anomend.pictures.image_sets import write_metadata
from studies.checker.drawings import draw
from studies.checker.samples import disagreements


def test_only_images_with_different_answers_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    for name, kind in (("a.png", "right"), ("b.png", "fused_leg"), ("c.png", "missing_arm")):
        Image.fromarray(draw(kind, 830_001)).save(folder / name)
    rows = [{"file_name": f"{n}.png", "text": n, "prompt": f"prompt {n}", "seed": 7} for n in "abc"]
    write_metadata(folder, rows)
    (row,) = disagreements([folder]).to_dict("records")
    assert row == {
        "set": "base",
        "file_name": "b.png",
        "prompt": "prompt b",
        "seed": 7,
        "regions": "",
        "ends": "extra_leg",
    }
