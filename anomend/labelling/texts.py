"""What people read on the pages: one file per language, and the version of the question in each.

`words/` has what the labels' and the survey's page share, `texts/` what the labels' page asks.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomend.labelling.records import ANSWERS, KINDS
from anomend.project.files import sha256_of

FOLDER = Path(__file__).with_name("texts")
WORDS = Path(__file__).with_name("words")
READS = ("texts/*.json", "words/*.json")
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


def version_of(language: str, asked: object) -> str:
    """The version of texts that decide something, such as `en-3f2a9c1b0d4e`."""
    return f"{language}-{sha256_of(json.dumps(asked, sort_keys=True, ensure_ascii=False))[:12]}"


def read_page_texts(path: Path, needed: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """A file of texts in one language, with the words that both pages share in `page`.

    Args:
        path: the file: `language`, `asked` and `page`.
        needed: keys that each mapping in `asked` has to have, and no others.

    Raises:
        ValueError: the file is missing, is not JSON, or lacks a text. The sentence names it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        shared = json.loads((WORDS / path.name).read_text(encoding="utf-8"))
        incomplete = [name for name, keys in needed.items() if set(content["asked"][name]) != set(keys)]
        content["page"] = shared | content["page"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as texts of a page ({error}): restore it from git") from None
    for name in incomplete:
        raise ValueError(f"{path} lacks the text of an answer or kind in {name}: it needs {', '.join(needed[name])}")
    return content


def _read(path: Path) -> Texts:
    content = read_page_texts(path, {"answers": ANSWERS, "kinds": KINDS})
    return Texts(path.stem, version_of(path.stem, content["asked"]), content)
