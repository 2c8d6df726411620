"""Reproduce the committed run in a temporary clone, and say whether its figures come out again."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

VERDICT = "metrics/verdict.json"
COST = "metrics/resources/"
"""Seconds and memory, which differ from run to run."""


def reproduce(root: Path, folder: Path, targets: list[str]) -> list[str]:
    """Clone the commit that is checked out, and run `dvc repro` there with nothing cached.

    Args:
        root: a git checkout; its uncommitted changes are not part of it.
        folder: an empty folder for the clone.
        targets: stages to reproduce; none: all.

    Returns:
        Tracked files that came out otherwise than committed, without those that tell the cost.

    Raises:
        ValueError: the clone or a stage failed.
    """
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def run(*words: str, cwd: Path) -> None:
        if subprocess.run(words, cwd=cwd, env=environment, check=False).returncode:
            raise ValueError(f"`{' '.join(words)}` failed in {cwd}; what it said stands above")

    run("git", "clone", "--quiet", "--no-hardlinks", str(root), str(folder), cwd=root)
    run(sys.executable, "-m", "dvc", "repro", *targets, cwd=folder)
    changed = subprocess.run(
        ["git", "diff", "--name-only"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [name for name in changed if not name.startswith(COST)]


def verdicts(root: Path, folder: Path) -> tuple[str, str]:
    """The committed verdict and that of the clone."""
    committed = subprocess.run(["git", "show", f"HEAD:{VERDICT}"], cwd=root, capture_output=True, text=True, check=True)
    return json.loads(committed.stdout)["verdict"], json.loads((folder / VERDICT).read_text())["verdict"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="stages; none: all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "clone"
        try:
            changed = reproduce(Path.cwd(), folder, options.targets)
        except ValueError as error:
            sys.exit(f"reproduce: {error}")
        committed, now = verdicts(Path.cwd(), folder)
    if changed:
        print("These files came out otherwise (another processor rounds otherwise):", *changed, sep="\n  ")
    else:
        print("Every committed figure came out again.")
    if now != committed:
        sys.exit(f"reproduce: the committed verdict is {committed}, this run's is {now}")
    print(f"The verdict is the committed one: {now}.")


if __name__ == "__main__":
    main()
