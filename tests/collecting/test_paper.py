"""The paper's published instance images: only the published files, each captioned by what it shows."""

from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path

import pytest

from anomend.collecting.image import PaperSettings, Skipped, SourceImage, SourceSettings
from anomend.collecting.paper import collect as collect_paper
from tests.collecting.pictures import fill
from tests.conftest import ROOT

PROMPTS = ["lying on the grass", "lying on the street"]
PUBLISHED = Path(os.environ.get("ANOMEND_PAPER_IMAGES", ROOT / "data/paper/images"))


def settings(path: Path, digests: Path = ROOT / "data/paper/images.csv") -> SourceSettings:
    return SourceSettings(paper=PaperSettings(path=path, digests=digests, captions=ROOT / "data/paper/captions.csv"))


@pytest.mark.skipif(not (PUBLISHED / "instance").is_dir(), reason="set ANOMEND_PAPER_IMAGES, or `make paper-images`")
def test_the_five_published_images_come_with_their_captions() -> None:
    images = [item for item in collect_paper(PROMPTS, 20, settings(PUBLISHED)) if isinstance(item, SourceImage)]
    assert [item.text for item in images] == [PROMPTS[0], PROMPTS[0], PROMPTS[1], PROMPTS[0], PROMPTS[0]]
    assert all(item.image.shape == (1024, 1024, 3) for item in images)
    assert all(item.provenance["commit"].startswith("87964b3") for item in images)


@pytest.fixture
def published(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with five files under the published names, and the table of their digests."""
    fill(tmp_path / "made")
    (tmp_path / "instance").mkdir()
    table = tmp_path / "images.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["set", "file_name", "sha256"])
        for number, name in enumerate(("photo.jpg", "turned.jpeg", "print.jpg", "exact.png", "alpha.png"), start=1):
            content = (tmp_path / "made" / name).read_bytes()
            (tmp_path / "instance" / f"{number:02d}.jpeg").write_bytes(content)
            writer.writerow(["instance", f"{number:02d}.jpeg", hashlib.sha256(content).hexdigest()])
    return tmp_path, table


def test_other_prompts_and_further_images_are_reported(published: tuple[Path, Path]) -> None:
    items = list(collect_paper(["lying on the grass"], 3, settings(*published)))
    assert [item.name for item in items if isinstance(item, Skipped)] == ["03.jpeg", "05.jpeg"]
    assert sum(isinstance(item, SourceImage) for item in items) == 3


def test_another_file_under_a_published_name_is_refused(published: tuple[Path, Path]) -> None:
    path = published[0] / "instance" / "02.jpeg"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ValueError, match=r"02\.jpeg is not the published file"):
        list(collect_paper(PROMPTS, 5, settings(*published)))


def test_images_that_are_not_there_are_one_sentence_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as refused:
        list(collect_paper(PROMPTS, 5, settings(tmp_path)))
    assert "make paper-images" in str(refused.value) and "ANOMEND_PAPER_IMAGES" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_no_image_for_the_target_prompts_is_one_sentence(published: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError, match="they show lying on the grass, lying on the street"):
        list(collect_paper(["dancing"], 5, settings(*published)))
