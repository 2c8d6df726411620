"""The caption of a user's picture, and the target prompt that it answers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomend.collecting.caption_tables import is_table, one_line, read_tables, unused_lines
from anomend.collecting.own_files import OwnFiles
from anomend.collecting.uncaptioned import caption_by_name
from anomend.project.slugs import slug
from anomend.project.text_files import read_text

ENDINGS = (".txt", ".caption")
"""Of text files with the caption of the picture next to them, in capitals or not."""
OTHER_ENDINGS = (
    *(".captions", ".cap", ".json", ".tag", ".tags", ".text"),
    *(".md", ".rtf", ".doc", ".docx", ".odt"),
)
"""Of files in which other programs keep captions; they are not read here."""
MOST_BYTES = 64 * 1024
"""A larger text file is not a caption."""
COMPARED = 200
"""Names in tables that are compared with the name of a picture that has no caption."""
REPEATS = re.compile(r"[0-9]+_(?=.)")
"""What kohya's sd-scripts have before a folder's caption: how often its pictures are repeated. It is not used here."""


@dataclass(frozen=True)
class Caption:
    """What a picture shows."""

    text: str
    """One line, for training."""
    prompt: str
    """The target prompt that the text contains, or that its folder is named after; otherwise the text itself."""
    where: str
    """Table and line, file or folder that it is from."""
    kind: str
    """`table`, `text_file`, `folder` or `fallback`, for counting."""


class Captions:
    """Captions of the pictures in a folder, each from the first of these that exists:

    `text` or `caption` in a `metadata.jsonl` or `metadata.csv` of the folder or of a sub-folder; a text file next to
    the picture, with the same name except the ending (`.txt`, `.caption`); a sub-folder named after a target prompt,
    such as `lying_on_the_grass/` or kohya's `10_lying on the grass/`; the caption set for all others; the target
    prompt by `caption_by_name`.

    A caption that was meant and cannot be read is refused: the picture would otherwise be trained on another one.
    """

    def __init__(self, folder: Path, prompts: Sequence[str], fallback: str | None, own: OwnFiles) -> None:
        """Reads the tables; `own` are the files of the folder.

        Raises:
            ValueError: a table cannot be read.
        """
        self.folder, self.prompts = folder, prompts
        self.fallback = fallback
        self.tables = read_tables(folder, own.files)
        self.tables.others += [path for path in own.unread if is_table(path)]
        self.texts = _TextFiles(own)

    def of(self, picture: Path) -> Caption:
        """The caption of a picture in the folder.

        Raises:
            ValueError: its caption cannot be read, or was meant for it and does not reach it; or it has none, and its
                target prompt cannot be told.
        """
        if listed := self.tables.captions.get(picture):
            return self._caption(picture, *listed, "table")
        if unread := self.texts.unread(picture):
            raise ValueError(unread[0])
        faults = [fault] if (fault := self.tables.faults.get(picture)) else []
        texts = {path: one_line(read_text(path, most_bytes=MOST_BYTES)) for path in self.texts.of(picture)}
        written = {text: path for path, text in texts.items() if text}
        if len(written) > 1:
            names = " and ".join(sorted(path.name for path in written.values()))
            raise ValueError(f"{names} next to it have different captions: keep one")
        for text, path in written.items():
            return self._caption(picture, text, path.relative_to(self.folder).as_posix(), "text_file")
        faults += [f"{path.name} next to it is empty: write the caption, or remove it" for path in texts]
        if named := self._by_folder(picture):
            return named
        if self.fallback is None:
            faults += self._missed(picture)
        if faults:
            raise ValueError(faults[0])
        if self.fallback is not None:
            return self._caption(picture, self.fallback, "fallback", "fallback")
        prompt = caption_by_name(one_line(picture.stem), self.prompts)
        return Caption(prompt, prompt, "fallback", "fallback")

    def is_caption(self, path: Path) -> bool:
        """Whether a file is a table of captions, or the caption of a file next to it."""
        return is_table(path) or self.texts.belongs(path)

    def instead_of_a_picture(self, path: Path) -> str | None:
        """What to do with a file that is not a picture, where it seems to hold captions."""
        if path in self.tables.others:
            return "a table that is not read: write its captions to metadata.jsonl, with file_name and text"
        if _is_text(path):
            return "not a JPEG, PNG or WebP picture, nor a caption of one: name it like its picture, or remove it"
        return None

    def unused(self) -> Iterator[tuple[str, str]]:
        """Captions that no picture gets: the table, and a sentence about its lines."""
        return unused_lines(self.tables)

    def _caption(self, picture: Path, text: str, where: str, kind: str) -> Caption:
        """A caption with its target prompt: the one that it contains; if it contains none, that of the folder."""
        contained = prompts_in(text, self.prompts)
        folder = None if contained else self._by_folder(picture)
        prompt = contained[0] if len(contained) == 1 else folder.prompt if folder else text
        return Caption(text, prompt, where, kind)

    def _by_folder(self, picture: Path) -> Caption | None:
        """The target prompt that a sub-folder is named after, as a caption."""
        for parent in self._folders(picture):
            repeats = REPEATS.match(parent)
            for prompt in self.prompts:
                if _slug(prompt) == _slug(parent):
                    return Caption(prompt, prompt, f"{parent}/", "folder")
                if repeats and _slug(prompt) == _slug(parent[repeats.end() :]):
                    return Caption(prompt, prompt, f"{parent}/, whose number of repeats is not used", "folder")
        return None

    def _folders(self, picture: Path) -> list[str]:
        """The sub-folders that a picture is in, the innermost first."""
        return list(reversed(picture.relative_to(self.folder).parts[:-1]))

    def _missed(self, picture: Path) -> list[str]:
        """Captions that may have been meant for a picture and do not reach it."""
        causes = []
        if names := self.tables.unmatched:
            shown = picture.relative_to(self.folder).as_posix()
            near = difflib.get_close_matches(shown, list(names)[:COMPARED], n=1, cutoff=0)[0]
            table, line = names[near]
            causes.append(f"line {line} of {table} names {near!r}, which is not in the folder")
        for parent in self._folders(picture):
            name = REPEATS.sub("", parent, count=1)
            nearly = difflib.get_close_matches(name.replace("_", " "), self.prompts, n=1, cutoff=0.85)
            if name != parent or nearly:
                causes.append(f"the name of its folder {parent}/ is not a target prompt")
        causes += [f"{path.name} next to it is not read" for path in self.texts.others(picture)]
        apart = self.texts.apart(picture)
        causes += [f"{path.relative_to(self.folder).as_posix()} is not next to it under its name" for path in apart]
        causes += [f"{path.relative_to(self.folder)} is not read" for path in self.tables.others]
        return [
            f"has no caption; {cause}: correct that, or write the caption to {picture.stem}.txt" for cause in causes
        ]


class _TextFiles:
    """The files next to pictures that have their names."""

    def __init__(self, own: OwnFiles) -> None:
        files = own.files
        self.exact = {(path.parent, name) for path in files if not _is_text(path) for name in (path.stem, path.name)}
        self.alike = {(folder, _folded(name)) for folder, name in self.exact}
        self.by_name: dict[tuple[Path, str], list[Path]] = {}
        for path in files:
            if path.suffix.lower() in (*ENDINGS, *OTHER_ENDINGS):
                self.by_name.setdefault((path.parent, _folded(path.stem)), []).append(path)
        self.by_stem: dict[str, list[Path]] = {}
        for path in files:
            if _is_text(path) and not self.belongs(path):
                self.by_stem.setdefault(_bare(path), []).append(path)
        texts = {path: why for path, why in own.unread.items() if _is_text(path)}
        self.reasons = {(path.parent, _folded(path.stem)): (path, why) for path, why in texts.items()}

    def belongs(self, path: Path) -> bool:
        """Whether a file is a text file with the name of another one next to it."""
        return _is_text(path) and (path.parent, _folded(path.stem)) in self.alike

    def of(self, picture: Path) -> list[Path]:
        """The text files of a picture: those of exactly its name, otherwise those of its name in other capitals or
        another Unicode form, unless they are another file's."""
        texts = [path for path in self._named(picture) if _is_text(path)]
        exact = [path for path in texts if path.stem in (picture.stem, picture.name)]
        return exact or [path for path in texts if (path.parent, path.stem) not in self.exact]

    def unread(self, picture: Path) -> list[str]:
        """Why text files of a picture cannot be read."""
        names = dict.fromkeys((_folded(picture.stem), _folded(picture.name)))
        told = [self.reasons[key] for name in names if (key := (picture.parent, name)) in self.reasons]
        return [f"{path.name} next to it is {why}" for path, why in told]

    def apart(self, picture: Path) -> list[Path]:
        """Text files of no picture whose names begin as a picture's: in another folder, or with a second ending."""
        return self.by_stem.get(_folded(picture.stem), [])

    def others(self, picture: Path) -> list[Path]:
        """Files of a picture's name with an ending that other programs use for captions."""
        return [path for path in self._named(picture) if not _is_text(path)]

    def _named(self, picture: Path) -> list[Path]:
        names = dict.fromkeys((_folded(picture.stem), _folded(picture.name)))
        return [path for name in names for path in self.by_name.get((picture.parent, name), []) if path != picture]


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def _bare(path: Path) -> str:
    """A file's name without any of the endings of captions and pictures."""
    while path.suffix.lower() in (*ENDINGS, *OTHER_ENDINGS, ".jpg", ".jpeg", ".png", ".webp"):
        path = path.with_suffix("")
    return _folded(path.name)


def prompts_in(text: str, prompts: Sequence[str]) -> list[str]:
    """The target prompts that a caption contains, in capitals or not."""
    return [prompt for prompt in prompts if _folded(prompt) in _folded(text)]


def _folded(text: str) -> str:
    return one_line(text).casefold()


def _slug(text: str) -> str:
    return slug(one_line(text))
