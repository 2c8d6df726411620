"""`python -m MODULE` for tests, from a process that has imported the large libraries already.

A stage spends up to ten seconds on importing torch and diffusers, and the tests start hundreds. In their clones (tests/
clones.py) the command `python` is therefore `client.py`, which asks `server.py` for a forked copy of itself. What the
libraries read from the environment when they are imported must be as the server has it; else, and for any other use of
`python`, the client becomes the ordinary interpreter. `ANOMEND_COLD=1` switches all this off.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@cache
def warm_python(path: str) -> dict[str, str]:
    """Start this process's server, and give the variables that make `python` its client, before those on `path`."""
    if os.environ.get("ANOMEND_COLD") or not sys.platform.startswith("linux"):
        return {}
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    client = folder / "bin" / "python"
    client.parent.mkdir()
    client.write_text(f"#!{sys.executable} -IS\n{(HERE / 'client.py').read_text()}")
    client.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, str(HERE / "server.py"), str(folder / "socket")],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=(folder / "log").open("w"),
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )

    def end() -> None:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return {"ANOMEND_WARM": str(folder / "socket"), "PATH": f"{client.parent}:{path}"}
