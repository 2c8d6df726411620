"""Own pictures that DVC tracks: a change makes `collect` run again, and experiments and colleagues have them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.clones import clone, run, set_params, stages_run
from tests.collecting.pictures import drawing

pytestmark = pytest.mark.slow
FOLDER = "data/own/pictures/lying_on_the_grass"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose pictures are added to DVC and pushed to a remote, and whose collected images are committed."""
    folder = clone(tmp_path_factory.mktemp("shared") / "project")
    (folder / FOLDER).mkdir(parents=True)
    for number in range(3):
        Image.fromarray(drawing(number)).save(folder / FOLDER / f"{number}.png")
    run(folder, "dvc", "add", "-q", "data/own/pictures")
    set_params(folder, {"collect": {"source": "folder"}, "curate": {"min_kept": 1}})
    run(folder, "dvc", "repro", "-q", "collect")
    run(folder, "dvc", "remote", "add", "-q", "-d", "shared", str(folder.parent / "remote"))
    run(folder, "dvc", "push", "-q", "data/own/pictures.dvc", "collect")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "Own pictures")
    return folder


def status(folder: Path) -> set[str]:
    """The stages that DVC finds changed, of the two that deal with own pictures."""
    return set(json.loads(run(folder, "dvc", "status", "--json", "resolve", "collect").stdout))


def test_git_has_the_note_of_dvc_and_no_picture(project: Path) -> None:
    tracked = run(project, "git", "ls-files", "data/own").stdout.split()
    assert tracked == ["data/own/.gitignore", "data/own/pictures.dvc"]


def test_an_experiment_in_a_copy_of_the_project_has_the_pictures(project: Path) -> None:
    run(project, "dvc", "exp", "run", "--temp", "-n", "copied", "-S", "collect.images=2", "collect")
    (reference,) = run(project, "git", "for-each-ref", "--format=%(refname)", "refs/exps/**/copied").stdout.split()
    collected = json.loads(run(project, "git", "show", f"{reference}:metrics/collect.json").stdout)
    assert collected["sources"] == {"folder": 2}
    inputs = run(project, "git", "show", f"{reference}:resolved/inputs.json").stdout
    assert inputs == (project / "resolved/inputs.json").read_text()


def test_a_colleague_needs_no_pictures_until_they_collect_and_can_pull_them(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "colleague"
    run(project, "git", "clone", "-q", str(project), str(other))
    said = run(other, "dvc", "repro", "resolve").stderr
    assert "collect.folder.path names is not on this machine, and counts as unchanged" in said
    assert run(other, "git", "status", "--short", "resolved").stdout == ""
    run(other, "dvc", "pull", "-q", "data/own/pictures.dvc")
    assert len(list((other / FOLDER).iterdir())) == 3
    assert stages_run(run(other, "dvc", "repro", "--pull", "collect").stdout) == {"resolve"}
    # Where the pictures are pulled before anything is run, nothing is changed.
    another = tmp_path / "another colleague"
    run(project, "git", "clone", "-q", str(project), str(another))
    run(another, "dvc", "pull", "-q", "data/own/pictures.dvc", "collect")
    assert status(another) == set()


def test_dvc_sees_another_picture_and_collects_again(project: Path) -> None:
    assert status(project) == set()
    shutil.copy(project / FOLDER / "0.png", project / FOLDER / "3.png")
    assert status(project) == {"resolve"}
    assert stages_run(run(project, "dvc", "repro", "collect").stdout) == {"resolve", "collect"}
    assert json.loads((project / "metrics/collect.json").read_text())["images"] == 4
    assert status(project) == set()
