"""JSON files that stage `resolve` writes, read with one sentence about what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ValueError: the file is missing, or is not a JSON object in UTF-8.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: run `dvc repro resolve`") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not valid JSON ({error}): run `dvc repro resolve`") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a JSON object: run `dvc repro resolve`")
    return content
