"""DVC's commands, as a reviewer would type them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def dvc(*words: str, cwd: Path) -> str:
    """Output of `dvc WORDS` in a folder, by this interpreter's DVC.

    Raises:
        ValueError: DVC failed; the message ends with DVC's last line of output.
    """
    environment = os.environ | {"DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        output = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ValueError(f"`dvc {' '.join(words)}` failed: {output[-1] if output else 'it printed nothing'}")
    return done.stdout
