"""When, by whom and from which commit a report was made: a file beside the page, which is thus the same anywhere."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

NAME = "made.js"


def write_made(folder: Path, checkout: Path) -> None:
    """Write `made.js` next to report.html, which shows what it says.

    It is not an output of the stage: the same run made by another person on another day has the same page.

    Args:
        folder: where report.html is.
        checkout: the git checkout that the run is in; outside of git, commit and name are left out.
    """
    made = {
        "date": f"{datetime.now(tz=UTC):%Y-%m-%d %H:%M} UTC",
        "by": _git(checkout, "config", "user.name"),
        "commit": _git(checkout, "rev-parse", "--short=12", "HEAD"),
    }
    text = json.dumps(made, ensure_ascii=False).replace("<", "\\u003c")
    (folder / NAME).write_text(f"document.dispatchEvent(new CustomEvent('made', {{ detail: {text} }}));\n", "utf-8")


def _git(checkout: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=checkout, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
