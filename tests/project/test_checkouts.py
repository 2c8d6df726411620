"""Files that git and DVC do not bring into a copy of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomend.project.checkouts import found


@pytest.mark.parametrize("copy", [".dvc/tmp/exps/tmpabc", ".dvc/tmp/exps/standalone/tmpabc"])
def test_a_copy_finds_what_it_lacks_in_the_project(tmp_path: Path, copy: str) -> None:
    project, experiment = tmp_path.resolve(), tmp_path / copy
    networks = project / "models/photographs"
    networks.mkdir(parents=True)
    (experiment / "data/own").mkdir(parents=True)
    (networks / "people.tflite").write_bytes(b"x")
    assert found("models/photographs", experiment) == networks
    assert found("models/photographs", project) == networks
    assert found("nowhere", experiment) == experiment / "nowhere"
    assert found(str(networks), experiment) == networks
    # What git and DVC note in a folder does not make it full.
    (project / "data/own").mkdir(parents=True)
    (project / "data/own/a.png").write_bytes(b"a")
    for name in (".gitignore", "pictures.dvc"):
        (experiment / "data/own" / name).write_text("x")
    assert found("data/own", experiment) == project / "data/own"
    (experiment / "data/own/b.png").write_bytes(b"b")
    assert found("data/own", experiment) == experiment / "data/own"
