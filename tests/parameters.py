"""Parameters in tests: what users set, the values in force, and the files that stages read."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomend.params.params import Params
from anomend.params.profiles import profile_names, resolve, validated
from anomend.params.resolved import load_params, split
from anomend.pipeline.resolved_files import as_text
from anomend.project.paths import CODE, PARAMS, RESOLVED, RUN_SETTINGS
from anomend.project.yaml_files import read_yaml
from anomend.scanning.overlays import NAME
from tests.conftest import ROOT

PROFILES = ROOT / "profiles"
NAMES = [name for name in profile_names(PROFILES) if name != NAME]
"""The profiles that people wrote; `make scan` may have left another one."""


def user_params() -> dict[str, Any]:
    """A fresh copy of params.yaml, in which nothing but the profile is set."""
    return read_yaml(ROOT / PARAMS)


def params_of(user: Mapping[str, Any]) -> Params:
    """The parameters in force for a content of params.yaml."""
    return resolve(user, PROFILES)


def values_in_force() -> dict[str, Any]:
    """A fresh copy of the committed run's parameters, all of them."""
    return load_params(ROOT).model_dump(mode="json")


def write_params(folder: Path, params: Params | Mapping[str, Any]) -> None:
    """Write what a stage that runs in `folder` reads."""
    results, run = split(params if isinstance(params, Params) else validated(params))
    (folder / RESOLVED).parent.mkdir(parents=True, exist_ok=True)
    (folder / RESOLVED).write_text(as_text(results), encoding="utf-8")
    (folder / RUN_SETTINGS).write_text(as_text(run), encoding="utf-8")
    shutil.copy(ROOT / CODE, folder / CODE)
