"""Which files of a user's folder are read, and why the others are not."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from anomend.collecting.image import Skipped

ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst")
DVC_NOTE = ".dvc"
"""What DVC writes next to a folder that it tracks."""
IN_DVC_CACHE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")
"""Where DVC keeps the content of files that it tracks, and links to it if its cache.type is `symlink`."""


@dataclass(frozen=True)
class OwnFiles:
    """The files of a folder and its sub-folders; hidden ones and DVC's notes are neither read nor named."""

    files: list[Path]
    """Files that may be read, sorted."""
    refused: list[Skipped]
    """Everything else, with the reason, sorted by name."""
    unread: dict[Path, str]
    """The paths of `refused`, with the reasons."""


def own_files(folder: Path) -> OwnFiles:
    """Every file of a folder and its sub-folders.

    A link out of the folder is not followed: a folder from somewhere else could show any file of this machine. A link
    to a folder is not followed either, because DVC would not see changes behind it.

    Args:
        folder: the folder; may itself be a link.

    Raises:
        ValueError: there is no such folder, or it may not be read.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: put your pictures there, or set collect.folder.path")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ValueError(f"the folder {folder} may not be read: give yourself permission (chmod u+rx)")
    files: list[Path] = []
    refused: list[Skipped] = []
    unread: dict[Path, str] = {}
    inside = folder.resolve()

    def refuse(path: Path, reason: str, kind: str) -> None:
        refused.append(Skipped(printable(path.relative_to(folder).as_posix()), reason, kind=kind))
        unread[path] = reason

    def unreadable(error: OSError) -> None:
        refuse(Path(error.filename), "the folder may not be read: give yourself permission (chmod u+rx)", "unreadable")

    for root, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            if (path := Path(root, name)).is_symlink():
                refuse(path, "a link to a folder, which is not followed: copy the folder itself there", "link")
        for name in names:
            path = Path(root, name)
            if name.startswith(".") or path.suffix == DVC_NOTE:
                continue
            if reason := _reason_against(path, inside):
                refuse(path, reason, "link" if path.is_symlink() else "not_a_picture")
            elif printable(shown := path.relative_to(folder).as_posix()) != shown:
                refuse(path, "its name has characters no table can hold: rename it", "name")
            else:
                files.append(path)
    return OwnFiles(sorted(files), sorted(refused, key=lambda each: each.name), unread)


def printable(name: str) -> str:
    """A name as it is; escaped where control characters, or bytes that are not UTF-8, would break any table."""
    return ascii(name)[1:-1] if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name) else name


def _reason_against(path: Path, inside: Path) -> str | None:
    """Why a file cannot be looked into."""
    try:
        if path.is_symlink():
            target = path.resolve(strict=True)
            if not (target.is_relative_to(inside) or IN_DVC_CACHE.search(target.as_posix())):
                return "a link out of the folder, which is not followed: copy the file itself there"
        if not path.is_file():
            return "not a file: remove it"
    except PermissionError:
        return "its folder may not be searched: give yourself permission (chmod u+rx)"
    except (OSError, RuntimeError):
        return "a link to nothing: remove it, or copy the file itself there"
    if path.suffix.lower() in ARCHIVES:
        return "an archive, which is not looked into: unpack it there"
    return None
