"""`python`, `dvc` and `accelerate` for tests, from processes that have imported the large libraries already.

A stage spends up to ten seconds on importing torch and diffusers, and a command of DVC one second on its modules; the
tests start hundreds of both. The environment that tests give to commands (tests/clones.py) therefore finds `client.py`
under these names. It asks `server.py` for a forked copy of itself: a server has what Python programs import, another
what DVC imports. The first also has the models of the parameters, which every stage imports; a fork keeps them where
the files that they come from are the same in its own folder. What a process inherits must be as the server has it, the
variables included that Python and the libraries read when they start; else the client becomes the ordinary command. The
fork leads a process group of its own, which dies with the client. `ANOMEND_COLD=1` switches all this off; a command
without `ANOMEND_WARM` in its environment is the ordinary one, and so is what it starts.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
CLIENTS = ("accelerate", "dvc", "python")
SERVERS = ("dvc", "python")


def started(folder: Path, name: str, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """A server, whose clients can connect from now on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(folder / name))
        listener.listen(64)
        return subprocess.Popen(
            [sys.executable, str(HERE / "server.py"), name, str(listener.fileno())],
            cwd=folder,
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(folder / f"{name}.log").open("w"),
            env=os.environ | variables,
        )


@cache
def warm_python(path: str, **variables: str) -> dict[str, str]:
    """Start this process's servers, with these variables.

    Returns the variables that make `CLIENTS` their clients, before the commands on `path`; none where there is no
    server.
    """
    if os.environ.get("ANOMEND_COLD") or not sys.platform.startswith("linux"):
        return {}
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    (folder / "bin").mkdir()
    for name in CLIENTS:
        client = folder / "bin" / name
        client.write_text(f"#!{sys.executable} -IS\n{(HERE / 'client.py').read_text()}")
        client.chmod(0o755)
    servers = [started(folder, name, variables) for name in SERVERS]

    def end() -> None:
        for server in servers:
            server.kill()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    python = str(folder / "bin" / "python")
    # PYTHON_EXEC: what torch's launcher starts.
    return {"ANOMEND_WARM": str(folder), "PATH": f"{folder / 'bin'}:{path}", "PYTHON_EXEC": python}
