"""A paid stage as its users run it: in a process of its own where it is to be killed, else here, which is faster."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from anomend.project.run import run_stage
from tests import clones
from tests.conftest import ROOT
from tests.purchasing.api_server import ApiServer

KEY = "a-key-that-opens-nothing"
"""No vendor accepts it. Tests search files and logs for it, because no key may be in them."""
NOWHERE = "http://127.0.0.1:9"


def environment(server: ApiServer | None, **changes: str) -> dict[str, str]:
    """Keys, permission to spend, and both clients pointed at the server."""
    url = server.url if server else NOWHERE
    return {
        "ANOMEND_ALLOW_SPEND": "1",
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{url}/v1",
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": url,
    } | changes


def start(stage: str, project: Path, server: ApiServer | None) -> subprocess.Popen[str]:
    """The stage in a process of its own."""
    return subprocess.Popen(
        ["python", "-m", f"stages.{stage}"],
        cwd=project,
        env=clones.environment() | {"PYTHONPATH": str(ROOT)} | environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and output."""
    out, err = process.communicate(timeout=120)
    assert KEY not in out + err
    return process.returncode, out + err


def run_here(
    stage: str,
    main: Callable[[], None],
    project: Path,
    server: ApiServer | None,
    *,
    measured: bool = True,
    **changes: str,
) -> tuple[int, str]:
    """Exit code and output of the stage, run in this process; an exception that is not a user's mistake is raised."""
    output, code = io.StringIO(), 0
    with (
        contextlib.chdir(project),
        patch.dict(os.environ, environment(server, **changes)),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
    ):
        try:
            run_stage(stage, main, measured=measured)
        except SystemExit as ended:
            code = int(ended.code or 0)
    assert KEY not in output.getvalue()
    return code, output.getvalue()


def last_line(text: str) -> str:
    """The sentence that a failed run ends with."""
    return text.strip().splitlines()[-1]


def no_key_anywhere(project: Path) -> None:
    """No file holds the key, or the part of it that an error message of the server repeated."""
    for path in project.rglob("*"):
        if path.is_file():
            assert b"testkey12345" not in path.read_bytes(), path
