"""A sheet of all collected images, kept ones first, each with its name and the reasons for its rejection."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from anomend.pictures.image_sets import load_image
from anomend.pictures.sheet import fitted, make_sheet

THUMBNAIL, MARGIN, LINE = 192, 8, 14
COLUMNS, LINES, LETTERS = 6, 5, 32
KEPT, REJECTED, PAPER, INK = "#1a7f37", "#b3261e", "#ffffff", "#1f2328"


@dataclass(frozen=True)
class Entry:
    """One image of the sheet."""

    path: Path
    title: str
    kept: bool
    text: str
    """Reasons, and whatever else a reviewer should read."""


def draw_sheet(entries: Sequence[Entry]) -> Image.Image:
    """The sheet: green frames around kept images, red ones with a cross in the corner around rejected ones."""
    ordered = sorted(entries, key=lambda entry: not entry.kept)
    pictures = [fitted(Image.fromarray(load_image(entry.path)), THUMBNAIL) for entry in ordered]
    sheet, corners = make_sheet(
        pictures, columns=COLUMNS, side=THUMBNAIL, margin=MARGIN, below=(LINES + 1) * LINE, background=PAPER
    )
    draw = ImageDraw.Draw(sheet)
    title, text = ImageFont.load_default(13), ImageFont.load_default(11)
    for entry, (left, top) in zip(ordered, corners, strict=True):
        colour = KEPT if entry.kept else REJECTED
        draw.rectangle([left - 2, top - 2, left + THUMBNAIL + 1, top + THUMBNAIL + 1], outline=colour, width=3)
        if not entry.kept:
            # Not by colour alone.
            draw.line([left, top, left + 24, top + 24], fill=colour, width=4)
            draw.line([left + 24, top, left, top + 24], fill=colour, width=4)
        below = top + THUMBNAIL + 4
        end = f": {'kept' if entry.kept else 'rejected'}"
        draw.text((left, below), _fitting(entry.title, end, title), fill=colour, font=title)
        wrapped = textwrap.wrap(entry.text, LETTERS, max_lines=LINES, placeholder=" …")
        for number, line in enumerate(wrapped, start=1):
            draw.text((left, below + number * LINE), line, fill=INK, font=text)
    return sheet


def write_sheet(path: Path, entries: Sequence[Entry]) -> None:
    """Write the sheet as JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(entries).save(path, quality=85)


def _fitting(name: str, end: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """A name and the outcome, at most as wide as a thumbnail: a long name loses its beginning, which says less."""
    whole = name
    while name and font.getlength(("" if name == whole else "…") + name + end) > THUMBNAIL:
        name = name[1:]
    return ("" if name == whole else "…") + name + end
