"""What raters read: one file per language, and the version of the question in each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomend.labelling.records import ANSWERS, KINDS
from anomend.project.files import sha256_of

FOLDER = Path(__file__).with_name("texts")
READS = ("texts/*.json",)
"""Files that this module reads: a change of them is a change of its code."""


@dataclass(frozen=True)
class Texts:
    """The texts in one language."""

    language: str
    """Such as `en`."""
    version: str
    """Such as `en-3f2a9c1b0d4e`: the language, and a digest of all that decides an answer: question, answers, kinds,
    guide and examples. Other words on the page may change without a new version."""
    content: dict[str, Any]
    """As in the file: `language` (its own name), `asked`, `page`."""


def read_texts(languages: Sequence[str], folder: Path = FOLDER) -> list[Texts]:
    """The texts in these languages, in their order.

    Raises:
        ValueError: a file is missing, is not JSON, or has no text for an answer or a kind.
    """
    return [_read(folder / f"{language}.json") for language in languages]


def versions(folder: Path = FOLDER) -> list[str]:
    """The versions of the question in all languages. An answer to another version is not an answer to this question."""
    return [_read(path).version for path in sorted(folder.glob("*.json"))]


def _read(path: Path) -> Texts:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        asked = content["asked"]
        complete = set(asked["answers"]) == set(ANSWERS) and set(asked["kinds"]) == set(KINDS)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as texts of the labels' page ({error}): restore it from git") from None
    if not complete:
        raise ValueError(f"{path} lacks the text of an answer or kind: it needs {', '.join([*ANSWERS, *KINDS])}")
    digest = sha256_of(json.dumps(asked, sort_keys=True, ensure_ascii=False))
    return Texts(path.stem, f"{path.stem}-{digest[:12]}", content)
