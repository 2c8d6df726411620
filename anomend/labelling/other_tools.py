"""What the formats of other labelling tools share: pictures by blind name, and ids of raters that tell nothing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from anomend.project.files import write_whole

KEY_BYTES = 32
"""Of the key with which ids of raters are hashed."""


@dataclass(frozen=True)
class ShownPicture:
    """A picture of the design, as another tool is given it."""

    picture: str
    """SHA-256 of the sample's or gold picture's file."""
    gold: str
    """Its known answer, or nothing."""


def picture_named(address: object, pictures: Mapping[str, ShownPicture]) -> ShownPicture:
    """The picture at an address: only the file's name counts, and what an upload puts before it does not.

    Args:
        address: a path or URL; Label Studio's uploads put a digest and a hyphen before the name.
        pictures: by blind file name.

    Raises:
        ValueError: the file is not of this design.
    """
    name = PurePosixPath(str(address).partition("?d=")[2] or str(address).partition("?")[0]).name
    for candidate in (name, name.rpartition("-")[2]):
        if candidate in pictures:
            return pictures[candidate]
    raise ValueError(f"{name!r} is not a picture of this design: import results of the design that was exported")


def opaque_rater(tool: str, identity: str, key: bytes) -> str:
    """An id that is the same for the same person, and from which nobody without the key can tell who it is."""
    return f"{tool}-{hmac.new(key, identity.encode(), hashlib.sha256).hexdigest()[:16]}"


def rater_key(path: Path) -> bytes:
    """The key of this project, made at first. It stays out of git: with it, ids could be tried out."""
    if not path.exists():
        write_whole(path, secrets.token_hex(KEY_BYTES) + "\n")
        path.chmod(0o600)
    return path.read_bytes().strip()


def label_row(
    shown: ShownPicture,
    *,
    rater: str,
    answer: str,
    marks: list[tuple[str, str]],
    milliseconds: int | None,
    texts: str,
) -> dict[str, Any]:
    """A label as `records.COLUMNS` has it; marks are (kind, place)."""
    return {
        "picture": shown.picture,
        "rater": rater,
        "answer": answer,
        "kinds": " ".join(kind for kind, _ in marks),
        "places": " ".join(where for _, where in marks),
        "milliseconds": milliseconds,
        "texts": texts,
        "showing": 0,
        "gold": shown.gold,
    }
