"""The caption of a user's picture, and the target prompt that it answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from anomend.collecting.uncaptioned import caption_by_name
from anomend.pictures.image_sets import METADATA
from anomend.project.slugs import slug


class Captions:
    """Captions of the pictures in a folder, each from the first of these that exists:

    `text` in the folder's `metadata.jsonl`; a text file next to the picture, with the same name except the ending; a
    sub-folder named after a target prompt, such as `lying_on_the_grass/`; the caption set for all others; the target
    prompt by `caption_by_name`.
    """

    def __init__(self, folder: Path, prompts: Sequence[str], fallback: str | None) -> None:
        self.folder, self.prompts = folder, prompts
        self.fallback = fallback
        self.listed = _listed(folder / METADATA)

    def of(self, picture: Path) -> tuple[str, str, str]:
        """The caption of a picture in the folder, its target prompt, and where the caption is from.

        Raises:
            ValueError: it has no caption, and its target prompt cannot be told.
        """
        name = picture.relative_to(self.folder).as_posix()
        caption_file = picture.with_suffix(".txt")
        if text := self.listed.get(name):
            return text, self._prompt(text), METADATA
        if caption_file.is_file() and (text := caption_file.read_text(encoding="utf-8", errors="replace").strip()):
            return text, self._prompt(text), caption_file.name
        for parent in picture.relative_to(self.folder).parts[:-1]:
            for prompt in self.prompts:
                if slug(parent) == slug(prompt):
                    return prompt, prompt, f"{parent}/"
        if self.fallback is not None:
            return self.fallback, self._prompt(self.fallback), "fallback"
        prompt = caption_by_name(picture.stem, self.prompts)
        return prompt, prompt, "fallback"

    def _prompt(self, text: str) -> str:
        """The target prompt that a caption contains; the caption itself if it contains none or several."""
        contained = [prompt for prompt in self.prompts if prompt.lower() in text.lower()]
        return contained[0] if len(contained) == 1 else text


def _listed(metadata: Path) -> dict[str, str]:
    """Captions in an imagefolder's metadata, by file name; empty without that file.

    Raises:
        ValueError: the file is not UTF-8, or a line is not a JSON object with a file name.
    """
    if not metadata.is_file():
        return {}
    captions = {}
    try:
        lines = metadata.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{metadata} is not UTF-8: save it again in UTF-8") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            captions[str(row["file_name"])] = str(row.get("text") or "").strip()
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise ValueError(f"line {number} of {metadata} is not a JSON object with a file_name: fix it") from None
    return captions
