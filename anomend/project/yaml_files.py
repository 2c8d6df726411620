"""YAML files that people edit, read with one sentence about what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from anomend.project.text_files import read_text

# libyaml, where PyYAML has it, reads dvc.lock ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        ValueError: the file is missing, has another encoding (see `text_files.read_text`), or is not a YAML mapping.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing")
    try:
        content = yaml.load(read_text(path), Loader=_LOADER)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} does not hold a mapping of sections")
    return content


def to_yaml(content: Any) -> str:
    """YAML text with the keys in their order, in the block style and at most 120 characters wide."""
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return text
