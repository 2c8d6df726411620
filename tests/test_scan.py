"""The scan's pipeline through DVC itself, in few steps: what it writes, what it makes again, what it refuses.

In two sampling steps the miniature draws every prompt wrong, which is all that these tests need. About two minutes.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import read_metrics
from anomend.project.yaml_files import read_yaml
from tests.clones import clone, run, set_params

pytestmark = pytest.mark.slow

SETTINGS = {
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
    run(folder, "dvc", "repro", "scan/dvc.yaml")
    return folder


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
    assert "up to date" in run(project, "dvc", "repro", "scan/dvc.yaml").stdout
    set_params(project, {"scan": {"limit": 0.25}})
    run(project, "dvc", "repro", "scan/dvc.yaml")
    assert read_metrics(project / "metrics/scan.json")["rules"]["limit"] == 0.25 and len(blocks(project)) == before


def test_another_prompt_in_the_suites_file_is_noticed_and_sampled_alone(project: Path) -> None:
    before = len(blocks(project))
    (project / "data/own_suite.csv").write_text(SUITE + "standing on the snow,standing,snow\n")
    run(project, "dvc", "repro", "scan/dvc.yaml")
    assert read_metrics(project / "metrics/scan.json")["prompts_scanned"] == 3
    log = [json.loads(line)["prompt"] for line in (project / ".samples/log.jsonl").read_text().splitlines()]
    assert set(log[before:]) == {"standing on the snow"}


def test_without_a_prompt_to_hold_out_no_profile_is_left(project: Path) -> None:
    (project / "profiles/scanned.yaml").write_text("inherits: mini\n")
    said = run(project, "python", "-m", "commands.adopt_scan").stdout
    assert "3 of 3 prompts are drawn wrong" in said and "no correction is proposed" in said
    assert not (project / "profiles/scanned.yaml").exists()
    assert read_yaml(project / "params.yaml")["profile"] == "mini"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scan": {"suite": "data/none.csv"}}, "scan.suite names data/none.csv, which is not a file"),
        ({"scan": {"suite": "data/own_suite.csv", "worth": 0.1}}, "scan.worth = 0.1 must be above scan.limit"),
        ({"scan": {"worth": None}, "scan.fresh": {"first_seed": 400_005}}, "reaches into the seeds of scan.first_seed"),
    ],
)
def test_a_scan_that_cannot_be_is_refused_in_one_sentence(
    project: Path, changes: dict[str, dict[str, object]], said: str
) -> None:
    before = len(blocks(project))
    set_params(project, changes)
    done = run(project, "dvc", "repro", "scan/dvc.yaml", check=False)
    assert done.returncode and said in done.stderr and "Traceback" not in done.stderr
    assert len(blocks(project)) == before
