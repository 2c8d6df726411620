"""The files of stage `resolve`: what it writes, what a plan assumes, what a check compares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomend.params.params import Params
from anomend.params.resolved import split
from anomend.pipeline.fingerprints import stage_fingerprints
from anomend.pipeline.inputs import input_digests
from anomend.project.files import write_whole
from anomend.project.paths import CODE, INPUTS, RESOLVED, RUN_SETTINGS

Files = dict[Path, dict[str, Any]]
"""The content of each file, by its name."""


def resolved_files(root: Path, params: Params) -> Files:
    """What stage `resolve` writes for some parameters.

    Args:
        root: the project, with its code, dvc.yaml and lock files.
        params: the parameters in force.

    Raises:
        ValueError: a file of the code is not valid Python, or imports a library that is not classified.
    """
    results, run = split(params)
    return {
        RESOLVED: results,
        RUN_SETTINGS: run,
        INPUTS: input_digests(root, params),
        CODE: dict(stage_fingerprints(root, params)),
    }


def write_files(files: Mapping[Path, Mapping[str, Any]], folder: Path = Path()) -> None:
    """Write the files into a folder."""
    for name, content in files.items():
        write_whole(folder / name, as_text(content))


def as_text(content: Mapping[str, Any]) -> str:
    """A file's text. It is JSON, since DVC reads each file once per stage, and YAML takes it ten times as long."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
