"""Source `folder`: the user's pictures."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from anomend.collecting.captions import Captions
from anomend.collecting.image import Skipped, SourceImage, SourceSettings
from anomend.collecting.pictures import read_picture
from anomend.pictures.image_sets import METADATA
from anomend.project.files import sha256_of


def collect(prompts: Sequence[str], count: int, settings: SourceSettings) -> Iterator[SourceImage | Skipped]:
    """The pictures of a folder and its sub-folders, by name; each file that is not a usable picture is reported.

    Args:
        prompts: target prompts; `Captions` says which of them a picture gets.
        count: number of pictures at most.
        settings: its `folder`.

    Raises:
        ValueError: there is no such folder, or there is no picture in it.
    """
    if settings.folder is None:
        raise ValueError("the source `folder` needs the folder's path: set collect.folder.path")
    folder = settings.folder.path
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: put your pictures there, or set collect.folder.path")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ValueError(f"the folder {folder} may not be read: give yourself permission (chmod u+rx)")
    captions = Captions(folder, prompts, settings.folder.caption)
    taken = 0
    for path in candidates(folder):
        name = path.relative_to(folder).as_posix()
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            # Control characters, or bytes that are not UTF-8: no table could hold the name.
            yield Skipped(ascii(name)[1:-1], "its name has characters no table can hold: rename it")
            continue
        if taken == count:
            yield Skipped(name, f"beyond the {count} images of collect.images or collect.mix")
            continue
        try:
            text, prompt, caption_from = captions.of(path)
            image, changes = read_picture(path)
        except ValueError as error:
            yield Skipped(name, str(error))
            continue
        provenance = {
            "original": name,
            "original_sha256": sha256_of(path),
            "changes": list(changes),
            "caption_from": caption_from,
        }
        taken += 1
        yield SourceImage(image=image, text=text, prompt=prompt, provenance=provenance)
    if not taken:
        raise ValueError(
            f"there is no readable JPEG, PNG or WebP picture with a caption in {folder}: put your pictures there"
        )


def candidates(folder: Path) -> list[Path]:
    """Every file that could be a picture: all except hidden files, DVC's, the metadata, and captions next to a file."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    stems = {path.with_suffix("") for path in files if path.suffix.lower() != ".txt"}
    return [
        path
        for path in files
        if path != folder / METADATA
        and path.suffix != ".dvc"
        and not (path.suffix == ".txt" and path.with_suffix("") in stems)
    ]
