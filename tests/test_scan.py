"""The scan's pipeline through DVC itself, in few steps: what it writes, what it makes again, what it refuses.

In two sampling steps the miniature draws every prompt wrong, which is all that these tests need. About two minutes.
"""

from __future__ import annotations

import json
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anomend.labelling.records import COLUMNS
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import read_metrics
from anomend.project.yaml_files import read_yaml
from tests.clones import clone, run, set_params, stages_run

pytestmark = pytest.mark.slow

SETTINGS: dict[str, dict[str, Any]] = {
    "sample": {"steps": 2, "batch_size": 4},
    "scan": {"suite": "data/own_suite.csv", "most_seeds": 16},
    "scan.fresh": {"seeds_per_prompt": 4},
}
SUITE = "prompt,posture,place\nlying on the grass,lying,grass\nsitting on the snow,sitting,snow\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone that has been scanned; the tests below go on from one another."""
    folder = clone(tmp_path_factory.mktemp("scan") / "a project", SETTINGS)
    (folder / "data/own_suite.csv").write_text(SUITE)
    run_scan(folder)
    return folder


def run_scan(folder: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """As `make scan` does."""
    return run(folder, "sh", "-c", "dvc repro resolve && dvc --cd scan repro", check=check)


def test_the_main_repository_of_dvc_does_not_know_of_it(project: Path) -> None:
    assert "scan" not in run(project, "dvc", "stage", "list", "--all", "--name-only").stdout
    assert not run(project, "git", "status", "--short", "--untracked-files=all", "data").stdout.count("scan")


def blocks(folder: Path) -> list[dict[str, int]]:
    return [json.loads(line) for line in (folder / ".samples/log.jsonl").read_text().splitlines()]


def test_it_counts_the_images_that_it_made_and_shows_some(project: Path) -> None:
    scan, made = read_metrics(project / "metrics/scan.json"), sum(block["images"] for block in blocks(project))
    assert scan["discoveries"] == 2 and scan["images"] == made == 2 * 8 + 2 * 4
    assert {block["first_seed"] for block in blocks(project)} == {400_000, 400_004, 450_000}
    examples = read_imagefolder(project / "data/scanned")
    assert set(examples["prompt"]) == {row["prompt"] for row in scan["prompts"]} and examples["anomalous"].all()
    assert (examples["seed"] >= 450_000).all()
    page = (project / "report/scan.html").read_text()
    assert all(row["prompt"] in page for row in scan["prompts"])


def test_another_limit_decides_anew_and_makes_no_image_again(project: Path) -> None:
    before = len(blocks(project))
    # Python may have written byte code beside the modules; the fingerprints, which `code` writes, are the same.
    assert stages_run(run_scan(project).stdout) <= {"code"}
    set_params(project, {"scan": {"limit": 0.25}})
    run_scan(project)
    assert read_metrics(project / "metrics/scan.json")["rules"]["limit"] == 0.25 and len(blocks(project)) == before


def test_another_prompt_in_the_suites_file_is_noticed_and_sampled_alone(project: Path) -> None:
    before = len(blocks(project))
    (project / "data/own_suite.csv").write_text(SUITE + "standing on the snow,standing,snow\n")
    run_scan(project)
    assert read_metrics(project / "metrics/scan.json")["prompts_scanned"] == 3
    log = [json.loads(line)["prompt"] for line in (project / ".samples/log.jsonl").read_text().splitlines()]
    assert set(log[before:]) == {"standing on the snow"}


def test_without_a_prompt_to_hold_out_no_profile_is_left(project: Path) -> None:
    (project / "profiles/scanned.yaml").write_text("inherits: mini\n")
    said = run(project, "python", "-m", "commands.adopt_scan").stdout
    assert "3 of 3 prompts are drawn wrong" in said and "no correction is proposed" in said
    assert not (project / "profiles/scanned.yaml").exists()
    assert read_yaml(project / "params.yaml")["profile"] == "mini"


def test_people_are_asked_for_labels_and_the_next_scan_decides_with_them(project: Path) -> None:
    set_params(project, {"scan": {"evidence": "people", "most_seeds": 16}})
    scan, made = scanned(project), len(blocks(project))
    # The images of the first round are there from the detector's scan.
    assert made == len(blocks(project)) and scan["discoveries"] == 0
    assert scan["prompts_waiting"] == 3 and scan["provenance"]["pictures_to_label"] == 3 * 8
    said = run(project, "python", "-m", "commands.adopt_scan").stdout
    assert "3 prompts wait for people's labels of 24 pictures: `make label SCAN=1`" in said
    assert "wait for people's labels of 24 pictures" in unescape((project / "report/scan.html").read_text())
    # The key of the page names the same pictures as the design; two raters call all of "lying" wrong, the others right.
    # After the first round "lying" is found, and its fresh pictures are asked for; the others take one more round.
    says = {True: ("wrong", "extra_limb"), False: ("nothing", "")}
    for pictures in (24, 4 + 2 * 8):
        key = json.loads((project / "data/scan_labels/key.json").read_text())
        design = pd.read_csv(project / "data/scan_labels/design.csv")
        asked = {one["picture"] for of_rater in key["raters"].values() for one in of_rater}
        assert asked == set(design["picture"]) and len(design) == pictures, design
        rows = [
            (picture, f"r{rater}", *says["lying" in prompt], "", 5000, key["texts"]["en"], 0, "")
            for picture, prompt in zip(design["picture"], design["prompt"], strict=True)
            for rater in (1, 2)
        ]
        labels = pd.DataFrame(rows, columns=list(COLUMNS))
        labels.to_csv(project / f"data/labels/{key['design']}.csv", index=False)
        scan = scanned(project)
    assert scan["prompts_waiting"] == 0
    status = {row["prompt"]: row["status"] for row in scan["prompts"]}
    assert status == {"lying on the grass": "wrong", "sitting on the snow": "fine", "standing on the snow": "fine"}
    assert scan["prompts"][0]["fresh"] and (scan["prompts"][0]["k"], scan["prompts"][0]["n"]) == (4, 4)
    assert list((project / "data/scan_labels").iterdir()) == []
    # Labels are inputs of this scan alone: nothing runs again without new ones.
    # Python may have written byte code beside the modules; the fingerprints, which `code` writes, are the same.
    assert stages_run(run_scan(project).stdout) <= {"code"}
    set_params(project, {"scan": {"evidence": None}})


def test_with_a_detector_people_see_one_image_of_two_and_what_they_said_before_counts(project: Path) -> None:
    before = len(blocks(project))
    set_params(project, {"scan": {"evidence": "people+machine", "images_per_label": 2}})
    scan = scanned(project)
    # The images are there, and people have labelled all of them.
    assert len(blocks(project)) == before and scan["provenance"]["pictures_to_label"] == 0
    assert {name: scan["provenance"][name] for name in ("evidence", "detector", "images_per_label")} == {
        "evidence": "people+machine",
        "detector": "drawn_people",
        "images_per_label": 2,
    }
    rows = {row["prompt"]: row for row in scan["prompts"]}
    # Four labels of "lying" are enough. The detector calls all images wrong, so that all chances are alike.
    assert rows["lying on the grass"]["explored"] == {"k": 4, "n": 4, "unseen": 4}
    assert rows["lying on the grass"]["status"] == "wrong" and rows["lying on the grass"]["n"] == 4
    # Eight that are right do not show less than 40%, whatever the detector finds.
    for prompt in ("sitting on the snow", "standing on the snow"):
        assert rows[prompt]["status"] == "open" and rows[prompt]["explored"] == {"k": 0, "n": 8, "unseen": 8}
    assert (scan["images"], scan["images_unseen"]) == (8 + 2 * 16 + 4, 4 + 2 * 8)
    assert "helps to choose the one in 2 that people see" in unescape((project / "report/scan.html").read_text())
    set_params(project, {"scan": {"evidence": None, "images_per_label": None}})


def scanned(project: Path) -> dict[str, Any]:
    run_scan(project)
    return read_metrics(project / "metrics/scan.json")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scan": {"suite": "data/none.csv"}}, "scan.suite names data/none.csv, which is not a file"),
        ({"scan": {"suite": "data/own_suite.csv", "worth": 0.1}}, "scan.worth = 0.1 must be above scan.limit"),
        (
            {"scan": {"worth": None, "evidence": "people+machine", "images_per_label": 4}},
            "scan.seeds_per_round = 8 must be 16 or more, and a multiple of 8",
        ),
        (
            {"scan": {"evidence": None, "images_per_label": None}, "scan.fresh": {"first_seed": 400_005}},
            "reaches into the seeds of scan.first_seed",
        ),
    ],
)
def test_a_scan_that_cannot_be_is_refused_in_one_sentence(
    project: Path, changes: dict[str, dict[str, object]], said: str
) -> None:
    before = len(blocks(project))
    set_params(project, changes)
    done = run_scan(project, check=False)
    assert done.returncode and said in done.stderr and "Traceback" not in done.stderr
    assert len(blocks(project)) == before
