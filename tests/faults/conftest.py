"""A reproduced clone to break."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.clones import clone, copy_made_once, run
from tests.conftest import ROOT
from tests.faults.odd_texts import add_odd_texts
from tests.faults.table import whole_suite

FOLDER = "ANOMEND_FAULTS_CLONE"
"""Environment variable: folder in which the reproduced clone is kept, for runs of the suite in pieces."""
NAME = "eine Kopie mit Ä"
"""Of the clone's folder: blanks and letters beyond ASCII in every path."""
IGNORED = shutil.ignore_patterns("__pycache__")


@pytest.fixture(scope="session")
def reproduced_whole(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shrunk clone with odd texts in a folder with an odd name, reproduced without interruption.

    Its texts are others than those of `reproduced_copy`, so that nearly every stage would have to run again there.
    """
    if whole_suite() and (kept := os.environ.get(FOLDER)):
        folder = Path(kept)
        if (folder / "dvc.lock").exists():
            for name in ("anomend", "commands", "stages", "studies"):
                shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True, ignore=IGNORED)
            run(folder, "dvc", "repro")
        else:
            reproduce_odd(folder)
        return folder
    first, folder = shared_folder / "odd" / NAME, tmp_path_factory.mktemp("faults") / NAME
    copy_made_once(first, folder, lambda: reproduce_odd(first))
    return folder


def reproduce_odd(folder: Path) -> None:
    clone(folder)
    add_odd_texts(folder)
    run(folder, "dvc", "repro")
