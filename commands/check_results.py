"""Do the committed results belong to the committed parameters and code? `python -m commands.check_results`.

Needs git's files alone: not a GPU, a remote, or the images. Results from a GPU arrive as dvc.lock, metrics and plots.
DVC compares every file that is here with the lock; images and weights that were not pulled are compared within the
lock: what one stage wrote must be what the next one read. A change of code counts where it can change a result, by the
same fingerprints that decide whether a stage runs again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anomend.params.profiles import resolve
from anomend.pipeline.fingerprints import RESOLVE
from anomend.pipeline.resolved_files import as_text, resolved_files
from anomend.project.dvc_command import dvc
from anomend.project.paths import CODE, INPUTS, LOCK, PARAMS, PROFILES
from anomend.project.yaml_files import read_yaml

NOT_PULLED = ("deleted", "not in cache")
"""DVC's words for data that is not on this machine."""


def changed_files(status: Mapping[str, list[Any]], not_in_git: set[str]) -> Iterator[str]:
    """One sentence for every file, parameter or command that is not what dvc.lock says.

    Args:
        status: of `dvc status --json`: per stage a list of words and objects.
        not_in_git: paths of data that only DVC keeps, whose absence says nothing.
    """
    for stage, entries in status.items():
        for entry in entries:
            if isinstance(entry, str):
                yield f"{stage}: {entry}"
                continue
            for paths in entry.values():
                for path, how in paths.items():
                    if isinstance(how, dict):
                        yield f"{stage}: {path}: {', '.join(f'{key} {word}' for key, word in how.items())}"
                    elif not (how in NOT_PULLED and path in not_in_git):
                        yield f"{stage}: {path} is {how}"


def outdated_files(folder: Path) -> Iterator[str]:
    """One sentence for every file of stage `resolve` that is not what the stage would write today.

    Raises:
        ValueError: the parameters or the code are broken.
    """
    for path, content in resolved_files(folder, resolve(read_yaml(folder / PARAMS), folder / PROFILES)).items():
        file = folder / path
        if not file.is_file():
            yield f"{path} is missing"
        elif path == CODE:
            recorded = json.loads(file.read_text(encoding="utf-8"))
            stale = [name for name in content if recorded.get(name) != content[name]]
            yield from (f"{name}: the code or a library changed since its results were made" for name in stale)
        elif file.read_text(encoding="utf-8") != as_text(content):
            if path == INPUTS:
                yield f"{path}: the contents of a file or folder that a parameter names changed since"
                continue
            yield f"{path} does not belong to {PARAMS} and {PROFILES}/"


def broken_links(lock: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for every stage that read another version of a file than the stage before it wrote."""
    written = {out["path"]: (name, out["md5"]) for name, stage in lock.items() for out in stage.get("outs", [])}
    for name, stage in lock.items():
        for dep in stage.get("deps", []):
            writer, md5 = written.get(dep["path"], (name, dep["md5"]))
            if md5 != dep["md5"]:
                yield f"{name}: read another {dep['path']} than {writer} wrote"


def kept_by_dvc_alone(pipeline: Mapping[str, Any], lock: Mapping[str, Any]) -> set[str]:
    """Paths of outs that are not in git: those without `cache: false` in dvc.yaml."""
    in_git = {
        path
        for stage in pipeline.values()
        for kind in ("outs", "metrics", "plots")
        for out in (stage.get("do", stage)).get(kind, [])
        if isinstance(out, dict)
        for path, options in out.items()
        if options.get("cache") is False
    }
    outs = {out["path"] for stage in lock.values() for out in stage.get("outs", [])}
    # A matrix names its files by a template: git keeps whatever lies under metrics/ and report/.
    return {path for path in outs - in_git if not path.startswith(("metrics/", "report/"))}


def check_results(folder: Path) -> list[str]:
    """Sentences on what does not belong together in a checkout; none: the results are this commit's.

    Raises:
        ValueError: there is no dvc.lock, or DVC cannot read the pipeline.
    """
    if not (folder / LOCK).is_file():
        raise ValueError(f"{folder / LOCK} is missing: run `dvc repro` and commit its dvc.lock")
    lock = read_yaml(folder / LOCK)["stages"]
    pipeline = read_yaml(folder / "dvc.yaml")["stages"]
    frozen = [f"{name}: it is frozen, so DVC does not compare it" for name in pipeline if pipeline[name].get("frozen")]
    status = json.loads(dvc("status", "--json", "dvc.yaml", cwd=folder))
    outdated: list[str] = []
    if RESOLVE in pipeline:
        # DVC compares the files of the code, comments included; what counts is what the stage makes of them.
        status.pop(RESOLVE, None)
        outdated = list(outdated_files(folder))
    return [*frozen, *outdated, *changed_files(status, kept_by_dvc_alone(pipeline, lock)), *broken_links(lock)]


def main() -> None:
    try:
        problems = check_results(Path.cwd())
    except ValueError as error:
        sys.exit(f"check_results: {error}")
    if problems:
        said = "\n".join(f"  {problem}" for problem in problems)
        sys.exit(f"The committed results are not those of this commit (run `dvc repro`, commit what changed):\n{said}")
    print("The committed results belong to this commit's parameters and code.")


if __name__ == "__main__":
    main()
