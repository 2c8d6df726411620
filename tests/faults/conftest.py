"""A reproduced clone to break."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.clones import clone, run
from tests.conftest import ROOT
from tests.faults.odd_texts import add_odd_texts
from tests.faults.table import whole_suite

FOLDER = "ANOMEND_FAULTS_CLONE"
"""Environment variable: folder in which the reproduced clone is kept, for runs of the suite in pieces."""
IGNORED = shutil.ignore_patterns("__pycache__")


@pytest.fixture(scope="session")
def reproduced_whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shrunk clone with odd texts in a folder with an odd name, reproduced without interruption."""
    kept = os.environ.get(FOLDER) if whole_suite() else None
    folder = Path(kept) if kept else tmp_path_factory.mktemp("faults") / "eine Kopie mit Ä"
    if (folder / "dvc.lock").exists():
        shutil.copytree(ROOT / "stages", folder / "stages", dirs_exist_ok=True, ignore=IGNORED)
    else:
        clone(folder)
        add_odd_texts(folder)
    run(folder, "dvc", "repro")
    return folder
