"""torch's threads do not keep the cores busy while they wait, unless the user says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({}, "2000 None"),
        ({"GOMP_SPINCOUNT": "7"}, "7 None"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "None ACTIVE"),
    ],
)
def test_threads_sleep_soon_and_the_users_settings_win(user: dict[str, str], expected: str) -> None:
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in names} | user
    # It is set by whatever of the package is imported first, and that loads no torch by itself.
    code = "import anomend.project.paths, os, sys; assert 'torch' not in sys.modules; "
    code += f"print(*[os.environ.get(name) for name in {names}])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr
