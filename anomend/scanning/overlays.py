"""The proposal as a profile: `profiles/scanned.yaml`, which `dvc exp run -S profile=scanned` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anomend.project.files import write_whole
from anomend.project.yaml_files import read_yaml, to_yaml

NAME = "scanned"
PROMPTS = ("target", "held_out", "siblings")
HEAD = """# What `make scan` found wrong, and held-out prompts to go with it; `make scan` writes this file anew.
#   dvc exp run -S profile={name}
"""


def write_overlay(folder: Path, proposal: Mapping[str, Any], user: Mapping[str, Any]) -> Path:
    """Write the profile.

    Args:
        folder: of the profiles.
        proposal: of metrics/scan.json.
        user: the content of params.yaml, whose profile it is put over.

    Raises:
        ValueError: params.yaml sets prompts itself, which would win over the profile.
    """
    if own := _set_by_user(user, classes=bool(proposal["class_prompts_dropped"])):
        raise ValueError(
            f"params.yaml sets {own[0]}, which wins over a profile: empty it there, so that the proposal can be used"
        )
    path = folder / f"{NAME}.yaml"
    parent = user["profile"]
    if parent == NAME:
        parent = read_yaml(path).get("inherits")
    values: dict[str, Any] = {
        "inherits": parent,
        "prompts": {key: _texts(proposal[key]) for key in PROMPTS},
    }
    if proposal["class_prompts_dropped"]:
        values["class_images"] = {"prompts": list(proposal["class_prompts"])}
    write_whole(path, HEAD.format(name=NAME) + to_yaml(values))
    return path


def _texts(rows: Sequence[Any]) -> list[str]:
    return [row["prompt"] if isinstance(row, Mapping) else str(row) for row in rows]


def _set_by_user(user: Mapping[str, Any], *, classes: bool) -> list[str]:
    """Parameters of the profile that the user has set too."""
    keys = [*(("prompts", key) for key in PROMPTS), *([("class_images", "prompts")] if classes else [])]
    return [f"{section}.{key}" for section, key in keys if (user.get(section) or {}).get(key) is not None]
