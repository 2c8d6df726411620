"""Source `folder`: a user's own pictures."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from anomend.collecting.captions import Captions
from anomend.collecting.image import Skipped, SourceImage, SourceSettings
from anomend.collecting.pictures import read_picture
from anomend.pictures.image_sets import METADATA


def collect_folder(prompts: Sequence[str], count: int, settings: SourceSettings) -> Iterator[SourceImage | Skipped]:
    """The pictures of a folder and its sub-folders, by name; each file that is no good picture is reported.

    Args:
        prompts: target prompts; see `Captions` for which of them a picture gets.
        count: how many pictures at most.
        settings: its `folder`.

    Raises:
        ValueError: there is no such folder, or no picture in it.
    """
    own = settings.folder
    if own is None:
        raise ValueError("the source `folder` needs the folder's path")
    if not own.path.is_dir():
        raise ValueError(f"there is no folder {own.path}: put your pictures there, or set collect.folder.path")
    if not os.access(own.path, os.R_OK | os.X_OK):
        raise ValueError(f"the folder {own.path} may not be read: give yourself leave (chmod u+rx)")
    captions = Captions(own.path, prompts, own.caption)
    found = 0
    for path in candidates(own.path):
        name = path.relative_to(own.path).as_posix()
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            # Control characters, or bytes that are no UTF-8: no table could hold the name.
            yield Skipped(ascii(name)[1:-1], "its name has characters no table can hold: rename it")
            continue
        if found == count:
            yield Skipped(name, f"beyond the {count} images asked for")
            continue
        try:
            image, changes = read_picture(path)
        except ValueError as error:
            yield Skipped(name, str(error))
            continue
        text, prompt, told_by = captions.of(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        provenance = {"original": name, "original_sha256": digest, "changes": list(changes), "caption_from": told_by}
        found += 1
        yield SourceImage(image, text, prompt, provenance)
    if not found:
        raise ValueError(f"there is no readable JPEG, PNG or WebP picture in {own.path}: put your pictures there")


def candidates(folder: Path) -> list[Path]:
    """Every file that could be a picture: all but hidden ones, the metadata, and captions that stand beside a file."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    stems = {path.with_suffix("") for path in files if path.suffix.lower() != ".txt"}
    return [
        path
        for path in files
        if path != folder / METADATA and not (path.suffix == ".txt" and path.with_suffix("") in stems)
    ]
