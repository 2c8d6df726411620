"""Sheets of pictures: equal squares in rows, each with one picture in its middle."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

Corner = tuple[int, int]
"""Upper left corner of a square, (x, y) in pixels."""


def make_sheet(
    pictures: Sequence[Image.Image], *, columns: int, side: int, margin: int = 0, below: int = 0, background: str
) -> tuple[Image.Image, list[Corner]]:
    """A sheet with these pictures, row by row.

    Args:
        pictures: RGB, at least one, none larger than `side`.
        columns: squares per row, at most; fewer pictures make a narrower sheet.
        side: of a square, in pixels.
        margin: around each square, in pixels.
        below: room for text under each square, in pixels.
        background: colour by name or as `#rrggbb`.

    Returns:
        The sheet, and the corner of each picture's square.
    """
    columns = max(1, min(columns, len(pictures)))
    gaps = (2 * margin, 2 * margin + below)
    size = (columns * (side + gaps[0]), -(-len(pictures) // columns) * (side + gaps[1]))
    sheet = Image.new("RGB", size, background)
    corners = paste_in_rows(sheet, pictures, columns=columns, side=side, start=(margin, margin), gaps=gaps)
    return sheet, corners


def paste_in_rows(
    sheet: Image.Image,
    pictures: Sequence[Image.Image],
    *,
    columns: int,
    side: int,
    start: Corner,
    gaps: tuple[int, int],
) -> list[Corner]:
    """Paste pictures row by row, each in the middle of its square.

    Args:
        sheet: is changed.
        pictures: none larger than `side`.
        columns: squares per row.
        side: of a square, in pixels.
        start: corner of the first square.
        gaps: between squares, to the right and downwards, in pixels.

    Returns:
        The corner of each picture's square.
    """
    corners = []
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        x, y = start[0] + column * (side + gaps[0]), start[1] + row * (side + gaps[1])
        sheet.paste(picture, (x + (side - picture.width) // 2, y + (side - picture.height) // 2))
        corners.append((x, y))
    return corners


def fitted(picture: Image.Image, side: int) -> Image.Image:
    """A picture whose longer side is at most `side` pixels: a larger one is reduced smoothly, a smaller one is enlarged
    by a whole factor without smoothing, so that its pixels stay visible."""
    factor = side // max(picture.size)
    if factor >= 1:
        return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    reduced = picture.copy()
    reduced.thumbnail((side, side), Image.Resampling.LANCZOS)
    return reduced
