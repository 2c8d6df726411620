"""YAML files that people edit, read with one sentence about what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from anomend.project.text_files import read_text

# libyaml, where PyYAML has it, reads dvc.lock ten times as fast.
_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _LOADER(_SAFE):  # type: ignore[misc]
    """Makes plain values alone, and refuses a key that is there twice, of which PyYAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See PyYAML."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        if twice := next((key for number, key in enumerate(keys) if key in keys[:number]), None):
            raise yaml.constructor.ConstructorError(None, None, f"{twice} is there twice: keep one", node.start_mark)
        content: dict[Any, Any] = super().construct_mapping(node, deep)
        return content


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        ValueError: the file is missing, has another encoding (see `text_files.read_text`), is not a YAML mapping,
            or has a key twice.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing")
    try:
        content = parse_yaml(read_text(path))
    except ValueError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} does not hold a mapping of sections")
    return content


def parse_yaml(text: str) -> Any:
    """The plain values of a YAML text.

    Raises:
        ValueError: it is not YAML, or has a key twice.
    """
    try:
        return yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def to_yaml(content: Any) -> str:
    """YAML text with the keys in their order, in the block style and at most 120 characters wide."""
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return text
