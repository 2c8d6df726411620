"""The three files of stage `resolve`, as text: what it writes, what a plan assumes, what a check compares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomend.params.params import Params
from anomend.params.profiles import resolve
from anomend.params.resolved import split
from anomend.pipeline.fingerprints import stage_fingerprints
from anomend.project.paths import CODE, PROFILES, RESOLVED, RUN_SETTINGS
from anomend.project.yaml_files import to_yaml

Values = dict[str, Any]


def resolved_values(root: Path, user: Mapping[str, Any]) -> tuple[Params, dict[Path, Values]]:
    """The parameters of a project, and the content of each file that `resolve` writes.

    Args:
        root: the project, with its code, profiles, dvc.yaml and lock files.
        user: the content of params.yaml.

    Raises:
        ValueError: a value is not allowed, or a file of the code is not valid Python.
    """
    params = resolve(user, root / PROFILES)
    results, run = split(params)
    return params, {RESOLVED: results, RUN_SETTINGS: run, CODE: dict(stage_fingerprints(root, params))}


def as_text(values: Mapping[Path, Values]) -> dict[Path, str]:
    """The files as they are written."""
    return {path: to_yaml(content) for path, content in values.items()}
