"""Put several runs next to each other on one page, runs.html: `make compare-runs RUNS="main wider deeper"`.

A run is whatever git knows with committed results: a branch, a tag, a commit, or the name of a DVC experiment. Without
names: the working tree's commit and every experiment on it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from anomend.project.dvc_command import dvc
from anomend.project.files import write_whole
from anomend.reporting.run_comparison import Run, comparison_page


def experiments(folder: Path) -> list[str]:
    """Names of the DVC experiments on the commit that is checked out."""
    return dvc("exp", "list", "--name-only", cwd=folder).split()


def commit_of(folder: Path, name: str) -> str:
    """The commit of a branch, tag, commit or experiment.

    Raises:
        ValueError: git and DVC know no such name, or two experiments have it.
    """
    refs = _git(folder, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    named = [ref for ref in refs if ref.rsplit("/", 1)[-1] == name and ref.count("/") > 3]
    if len(named) > 1:
        raise ValueError(f"{len(named)} experiments are called {name}: name a branch or a commit instead")
    try:
        return _git(folder, "rev-parse", "--verify", "--quiet", f"{(named or [name])[0]}^{{commit}}").strip()
    except subprocess.CalledProcessError:
        raise ValueError(
            f"there is no branch, commit or experiment {name!r}: `dvc exp list` names experiments"
        ) from None


def read_run(folder: Path, name: str) -> Run:
    """A run's committed results.

    Raises:
        ValueError: there is no such run, or it has no results.
    """
    commit = commit_of(folder, name)
    contents: dict[str, Any] = {}
    for key, path in (
        ("verdict", "metrics/verdict.json"),
        ("compare", "metrics/compare.json"),
        ("parameters", "resolved/params.json"),
    ):
        shown = subprocess.run(["git", "show", f"{commit}:{path}"], cwd=folder, capture_output=True, check=False)
        if shown.returncode:
            raise ValueError(f"{name} has no {path}: run `dvc repro` there, and commit its results")
        contents[key] = json.loads(shown.stdout)
    picture = ["git", "show", f"{commit}:report/side_by_side.png"]
    shown = subprocess.run(picture, cwd=folder, capture_output=True, check=False)
    date = _git(folder, "log", "-1", "--format=%as", commit).strip()
    return Run(name=name, date=date, picture=shown.stdout if shown.returncode == 0 else None, **contents)


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m commands.compare_runs", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="branches, commits, experiments; none: all experiments")
    parser.add_argument("--out", type=Path, default=Path("runs.html"))
    options = parser.parse_args()
    folder = Path.cwd()
    try:
        names = options.runs or ["HEAD", *experiments(folder)]
        write_whole(options.out, comparison_page([read_run(folder, name) for name in names]))
    except ValueError as error:
        sys.exit(f"compare_runs: {error}")
    print(f"wrote {options.out}: {', '.join(names)}")


if __name__ == "__main__":
    main()
