"""Links to inputs: what git keeps of them, and what DVC makes of that, on other machines and in experiments."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from anomend.params.params import Params
from anomend.params.profiles import merge
from anomend.pipeline.input_links import IN_EVERY_CLONE, SHARED, link_inputs, remove_broken_links
from anomend.pipeline.inputs import named_inputs
from anomend.project.paths import INPUT_LINKS
from tests.clones import clone, run, set_params
from tests.conftest import ROOT
from tests.parameters import params_of, user_params


def params(**changes: dict[str, Any]) -> Params:
    return params_of(merge(user_params(), changes))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in IN_EVERY_CLONE:
        (tmp_path / "project" / folder).mkdir(parents=True)
    (tmp_path / "project/data/own/pictures").mkdir()
    (tmp_path / "project/data/own/pictures/a.png").write_bytes(b"a")
    return tmp_path / "project"


def of_pictures(path: Path | str) -> Params:
    return params(collect={"source": "folder", "folder": {"path": str(path)}})


def test_git_keeps_a_file_of_each_folder_that_a_link_of_it_may_lead_to() -> None:
    for folder in IN_EVERY_CLONE:
        assert subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, check=True).stdout, folder


def test_inputs_in_folders_of_every_clone_have_links_that_hold_in_every_clone(project: Path) -> None:
    link_inputs(project, of_pictures("data/own/pictures"))
    assert (project / INPUT_LINKS).readlink() == Path("shared")
    links = {path.name: path.readlink() for path in (project / SHARED).iterdir() if path.is_symlink()}
    # Not to the pictures in it, without which the link would lead nowhere.
    assert links.keys() == named_inputs(params()).keys() and links["collect.folder.path"] == Path("../../data/own")
    assert (project / INPUT_LINKS / "base.local_folder").read_text() == "not in use\n"
    assert not any(link.is_absolute() for link in links.values())


@pytest.mark.parametrize("place", ["outside", "project/pictures", "project/data/own/../../pictures"])
def test_an_input_elsewhere_changes_nothing_that_git_keeps_but_where_the_links_are(project: Path, place: str) -> None:
    elsewhere = project.parent / place
    elsewhere.mkdir()
    link_inputs(project, params())
    before = {path.name: path.lstat().st_ino for path in (project / SHARED).iterdir()}
    link_inputs(project, of_pictures(elsewhere))
    assert (project / INPUT_LINKS).readlink() == Path("local")
    assert (project / INPUT_LINKS / "collect.folder.path").resolve() == elsewhere.resolve()
    assert (project / INPUT_LINKS / "survey.responses").resolve() == project / "data/survey"
    assert {path.name: path.lstat().st_ino for path in (project / SHARED).iterdir()} == before
    link_inputs(project, params())
    assert (project / INPUT_LINKS).readlink() == Path("shared") and elsewhere.exists()


def test_what_is_not_on_this_machine_has_a_link_that_says_so(project: Path) -> None:
    link_inputs(project, of_pictures("/nowhere"))
    assert (project / INPUT_LINKS).readlink() == Path("shared")
    assert (project / INPUT_LINKS / "collect.folder.path").read_text() == "not on this machine\n"


def test_a_link_whose_input_is_gone_is_deleted(project: Path) -> None:
    link_inputs(project, params())
    (project / "data/survey").rmdir()
    assert remove_broken_links(project) == ["survey.responses"]


def test_a_copy_whose_links_were_followed_gets_links_again(project: Path) -> None:
    (project / INPUT_LINKS).mkdir(parents=True)
    (project / INPUT_LINKS / "survey.responses").mkdir()
    link_inputs(project, params())
    assert (project / INPUT_LINKS / "survey.responses").resolve() == project / "data/survey"


@pytest.mark.slow
class TestWithDvc:
    """Stage `resolve` alone, of a clone of this project: 40 seconds of one core."""

    @pytest.fixture(scope="class")
    def mine(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = clone(tmp_path_factory.mktemp("links") / "a project")
        run(folder, "dvc", "repro", "-q", "resolve")
        run(folder, "git", "add", "-A")
        run(folder, "git", "commit", "-qm", "resolved")
        return folder

    def changed(self, folder: Path) -> set[str]:
        return {
            path
            for entry in json.loads(run(folder, "dvc", "status", "--json", "resolve").stdout).get("resolve", [])
            for paths in entry.values()
            for path in paths
        }

    def test_a_fresh_clone_is_unchanged(self, mine: Path, tmp_path: Path) -> None:
        theirs = tmp_path / "their clone"
        run(tmp_path, "git", "clone", "-q", str(mine), str(theirs))
        assert self.changed(theirs) == set()
        (theirs / "data/survey/answers.csv").write_text("x")
        assert self.changed(theirs) == {"resolved/links/survey.responses"}

    def test_a_folder_outside_is_watched_and_a_colleague_without_it_goes_on(self, mine: Path, tmp_path: Path) -> None:
        outside, theirs = tmp_path / "my pictures", tmp_path / "theirs"
        outside.mkdir()
        (outside / "a.png").write_bytes(b"a")
        set_params(mine, {"collect": {"source": "folder"}, "collect.folder": {"path": str(outside)}})
        run(mine, "dvc", "repro", "-q", "resolve")
        assert self.changed(mine) == set()
        before = (mine / "resolved/inputs.json").read_text()
        (outside / "b.png").write_bytes(b"b")
        assert self.changed(mine) == {"resolved/links/collect.folder.path"}
        run(mine, "dvc", "repro", "-q", "resolve")
        assert (mine / "resolved/inputs.json").read_text() != before
        run(mine, "git", "add", "-A")
        run(mine, "git", "commit", "-qm", "my pictures")
        run(tmp_path, "git", "clone", "-q", str(mine), str(theirs))
        links = run(theirs, "git", "ls-files", "resolved/links", "resolved/local").stdout.split()
        assert links == ["resolved/links"]
        outside.rename(tmp_path / "not on their machine")
        said = run(theirs, "dvc", "repro", "resolve").stderr
        assert "collect.folder.path names is not on this machine, and counts as unchanged" in said
        assert self.changed(theirs) == set()
        assert (theirs / "resolved/inputs.json").read_text() == (mine / "resolved/inputs.json").read_text()
        (tmp_path / "not on their machine").rename(outside)

    def test_experiments_may_turn_to_inputs_elsewhere_and_back(self, mine: Path, tmp_path: Path) -> None:
        for number in (1, 2):
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "a.png").write_bytes(b"a")
            settings = ("-S", "collect.source=folder", "-S", f"collect.folder.path={folder}")
            run(mine, "dvc", "exp", "run", "-q", "-n", f"e{number}", *settings, "resolve")
            assert self.changed(mine) == set()
            assert (mine / INPUT_LINKS / "collect.folder.path").resolve() == folder
        run(mine, "dvc", "exp", "run", "-q", "-n", "back", "-S", "collect.source=drawn_people", "resolve")
        assert self.changed(mine) == set() and (mine / INPUT_LINKS).readlink() == Path("shared")
