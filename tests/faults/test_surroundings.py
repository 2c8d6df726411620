"""Another locale, time zone, clock or encoding: the same outputs, whatever a prompt's letters."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clones import run, stages_run
from tests.faults.faulty import differences, outputs
from tests.faults.table import Row, record, whole_suite

pytestmark = pytest.mark.slow
QUICK = [
    "resolve",
    "collect",
    "curate",
    "compare",
    "judge",
    "survey",
    "label",
    "people",
    "agreement",
    "verdict",
    "report",
]
"""Stages that need no network of the base."""
LOCALES = {"tr_TR.UTF-8": ("tr_TR", "UTF-8"), "de_DE.ISO-8859-1": ("de_DE", "ISO-8859-1")}
"""Built for the test: Turkish has another i and a decimal comma; Latin-1 makes Python read files in it."""
SETTINGS: dict[str, list[str]] = {
    "LC_ALL=C TZ=Asia/Kathmandu": [],
    "LC_ALL=POSIX": [],
    "LC_ALL=tr_TR.UTF-8 TZ=UTC+12": [],
    "LC_ALL=de_DE.ISO-8859-1": [],
    "PYTHONHASHSEED=7 OMP_NUM_THREADS=2": [],
    "the year 2039": ["faketime", "-f", "+13y"],
    "the year 1999": ["faketime", "-f", "@1999-12-31 23:59:50"],
}


@pytest.fixture(scope="session")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A folder with `LOCALES`, or None where they cannot be built."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        return None
    for name, (source, letters) in LOCALES.items():
        words = ["localedef", "-i", source, "-f", letters, str(folder / name)]
        if subprocess.run(words, capture_output=True, check=False).returncode > 1:
            return None
    return folder


@pytest.mark.parametrize("setting", SETTINGS if whole_suite() else list(SETTINGS)[1:2])
def test_locale_and_clock_change_nothing(reproduced_whole: Path, locales: Path | None, setting: str) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    shim, words = SETTINGS[setting], [word for word in setting.split() if "=" in word]
    if shim and shutil.which(shim[0]) is None:
        pytest.skip(f"no {shim[0]} here: install it (apt-get install {shim[0]})")
    if any(name in setting for name in LOCALES):
        if locales is None:
            pytest.skip("these locales cannot be built here: install them (apt-get install locales)")
        words.append(f"LOCPATH={locales}")
    done = run(folder, "env", "-u", "PYTHONUTF8", *words, *shim, "dvc", "repro", "--single-item", "--force", *QUICK)
    assert stages_run(done.stdout) == set(QUICK)
    lost = differences(before, outputs(folder))
    record(Row(", ".join(QUICK), f"run again with {setting}", 1, len(lost), ""))
    assert not lost
