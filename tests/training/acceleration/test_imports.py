"""Ways of compiling are imported only where one is chosen."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT


def test_the_trainer_imports_no_way_of_compiling() -> None:
    names = ", ".join(f"'anomend.training.acceleration.{name}'" for name in ("blocks", "whole", "compiler"))
    code = f"import sys, anomend.training.loop; print({{{names}}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, text=True, capture_output=True)
    assert done.stdout.strip() == "set()"
