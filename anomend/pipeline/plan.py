"""What `dvc repro` would run with other settings, and why, before it runs.

`dvc status` and `dvc repro --dry` cannot tell: they see the resolved parameters of the last run, which stage `resolve`
has yet to replace. Here these are computed, and each stage is held against what dvc.lock recorded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomend.pipeline.fingerprints import RESOLVE
from anomend.pipeline.inputs import SAMPLING, SCAN_LABELLING
from anomend.pipeline.resolved_files import as_text
from anomend.project.paths import CODE, INPUTS, RESOLVED

Values = Mapping[str, Any]
LOOKS = "looks"
FINGERPRINTS = "code"
"""The stage of a pipeline of its own that writes what `resolve` writes for the main one."""
OTHER_SEEDS = (
    "it has never run",
    "prompts",
    "sample.target_seeds",
    "sample.held_out_seeds",
    "verdict.looks",
    "metrics/",
)
"""Beginnings of the reasons for which that stage writes other seeds, also where it looks once."""
ABSENT = "(absent)"
"""Where a parameter is not there; null is a value."""


@dataclass(frozen=True)
class Planned:
    """A stage that would run."""

    stage: str
    reasons: tuple[str, ...]
    """What changed. A stage that only follows others may be skipped after all, where these write what they wrote."""


MAIN, SCAN = Path(), Path("scan")
"""Pipelines that can be planned: folders of the project that are DVC repositories."""


def plan(root: Path, files: Mapping[Path, Values], pipeline: Path = MAIN) -> list[Planned]:
    """The stages of a pipeline that would run, in their order.

    Args:
        root: the project.
        files: the content that `resolve` would write (`anomend.pipeline.resolved_files.resolved_values`), and the
            fingerprints of the pipeline's code, if it has a file of its own.
        pipeline: its folder.

    Raises:
        ValueError: DVC cannot read the pipeline.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root / pipeline)) as repo, repo.lock:
            stages = [stage for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"]
            return _planned(_in_order(stages), files, root.resolve())
    except DvcException as error:
        raise ValueError(f"DVC cannot read the pipeline: {error}") from error


def _in_order(stages: list[Any]) -> list[Any]:
    """Stages after those whose outputs they read; otherwise as dvc.yaml lists them."""
    ordered: list[Any] = []
    waiting = list(stages)
    while waiting:
        unfinished = [out.fs_path for stage in waiting for out in stage.outs]
        ready = [stage for stage in waiting if not any(_inside(d.fs_path, unfinished) for d in stage.deps)]
        if not ready:
            raise ValueError("dvc.yaml has stages that wait for each other")
        ordered += ready
        waiting = [stage for stage in waiting if stage not in ready]
    return ordered


def _inside(path: str, folders: list[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def _planned(stages: list[Any], files: Mapping[Path, Values], root: Path) -> list[Planned]:
    planned: list[Planned] = []
    rewritten: dict[str, str] = {}
    for stage in stages:
        # A frozen stage keeps its outputs, whatever changed; what these would write is known.
        if stage.name in (RESOLVE, FINGERPRINTS) or stage.frozen:
            continue
        reasons = [*_changes(stage, files, root, rewritten), *_follows(stage, rewritten)]
        if reasons:
            planned.append(Planned(stage.addressing, tuple(dict.fromkeys(reasons))))
            if stage.name == LOOKS and _writes_the_same_seeds(reasons, files):
                continue
            rewritten |= {out.fs_path: stage.addressing for out in stage.outs}
    return planned


def _writes_the_same_seeds(reasons: list[str], files: Mapping[Path, Values]) -> bool:
    """Whether stage `looks`, with one look, would write the file that is there."""
    one_look = len(_leaf(files[RESOLVED], "verdict.looks")) == 1
    return one_look and not any(reason.startswith(OTHER_SEEDS) for reason in reasons)


def _changes(stage: Any, files: Mapping[Path, Values], root: Path, rewritten: Mapping[str, str]) -> list[str]:
    """What differs from dvc.lock in a stage's command, parameters, code, data and outputs."""
    if stage.cmd_changed and not any(dep.hash_info for dep in stage.deps):
        return ["it has never run"]
    reasons = ["its command"] if stage.cmd_changed else []
    for dep in stage.deps:
        path = _in_project(dep.fs_path, root)
        if _inside(dep.fs_path, list(rewritten)):
            continue
        if path not in files:
            reasons += [f"{_in_project(name, root)} is {how}" for name, how in dep.status().items()]
        elif not hasattr(dep, "params"):
            # The stage reads the whole file.
            digest = hashlib.md5(as_text(files[path]).encode(), usedforsecurity=False).hexdigest()
            reasons += [f"{path} is modified"] if not dep.hash_info or dep.hash_info.value != digest else []
        else:
            reasons += _value_changes(path, dep, files[path])
    return reasons + [f"{_in_project(name, root)} is {how}" for out in stage.outs for name, how in out.status().items()]


def _in_project(path: str, root: Path) -> Path:
    """A path of the project as seen from its root; DVC names those outside its repository in full."""
    return Path(path).relative_to(root) if Path(path).is_relative_to(root) else Path(path)


def _value_changes(path: Path, dep: Any, values: Values) -> list[str]:
    recorded = dep.hash_info.value or {}
    differences = [
        each for key in dep.params for each in _differences(key, recorded.get(key, ABSENT), _leaf(values, key))
    ]
    if path.name == CODE.name:
        return ["its code"] if differences else []
    if path == INPUTS:
        return [_input_change(key, old, new) for key, old, new in differences]
    return [f"{key}: {old} -> {new}" for key, old, new in differences]


def _input_change(key: str, old: Any, new: Any) -> str:
    if key == SAMPLING:
        return "whether it samples the base"
    if key == SCAN_LABELLING:
        return "whether people judge it"
    if key.startswith(f"{SCAN_LABELLING}."):
        return f"label.{key.removeprefix(f'{SCAN_LABELLING}.')}: {old} -> {new}"
    parameter = key.removeprefix(f"{SAMPLING}.")
    return f"the files of {key}" if parameter == key else f"{parameter}: {old} -> {new}"


def _follows(stage: Any, rewritten: Mapping[str, str]) -> list[str]:
    """The stages before this one that would run, where they write what this one reads."""
    return [
        f"follows {name}" for path, name in rewritten.items() if any(_inside(d.fs_path, [path]) for d in stage.deps)
    ]


def _leaf(values: Values, key: str) -> Any:
    """A value by its dotted key; `ABSENT` where it is not there, which is not the same as null."""
    value: Any = values
    for part in key.split("."):
        value = value.get(part, ABSENT) if isinstance(value, Mapping) else ABSENT
    return value


def _differences(key: str, old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """The leaves that differ between two nested values, each with both."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            difference
            for inner in dict.fromkeys([*old, *new])
            for difference in _differences(f"{key}.{inner}", old.get(inner, ABSENT), new.get(inner, ABSENT))
        ]
    return [] if old == new else [(key, old, new)]
