"""How a stage is started on several processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from anomend.project.launching import LAUNCHED, launch
from tests.conftest import ROOT

PROBE = (
    "import os; from anomend.project.launching import launch; "
    "launch(['env', 'TOLD=yes', 'python'], 'this', 'base', parameter='sample.launcher'); print('unchanged')"
)


def test_a_command_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LAUNCHED, "")
    with pytest.raises(ValueError, match=r"sample\.launcher: the command 'no-such-launcher' does not exist"):
        launch(["no-such-launcher"], "stages.sample", "base", parameter="sample.launcher")


def test_the_launcher_runs_the_module_with_its_arguments() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, cwd=ROOT)
    # `python -m this base` prints the Zen of Python, and does not come back here.
    assert "Beautiful is better than ugly" in done.stdout and "unchanged" not in done.stdout


def test_a_process_that_was_launched_goes_on() -> None:
    environment = os.environ | {LAUNCHED: "this"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    assert done.stdout == "unchanged\n"
