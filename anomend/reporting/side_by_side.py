"""One picture of base and tuned images of the same prompt and seed, anomalous ones marked by a frame and a cross."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from anomend.pictures.image_sets import load_image
from anomend.pictures.sheet import Corner, fitted, paste_in_rows
from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.reporting.pairs import ImagePair

ANOMALY_RED = (200, 44, 40)
CELL = 128


def save_side_by_side(
    path: Path,
    pairs: Sequence[ImagePair],
    cell: int = CELL,
    *,
    rows: Mapping[str, Sequence[ImagePair]] | None = None,
    words: ModelWords = BASE_AND_TUNED,
) -> None:
    """Write one PNG: a row per prompt, the base model's images in the left half, the tuned one's in the right half.

    Args:
        path: the PNG file; its folder is made.
        pairs: as `first_pairs` returns them.
        cell: side of an image in pixels.
        rows: the pairs of each row by its label; None: a row per prompt.
        words: what the two models are called.

    Raises:
        ValueError: there are no pairs, or an image cannot be read.
    """
    if not pairs:
        raise ValueError("there is no pair of images to show")
    by_label = _by_prompt(pairs) if rows is None else {label: list(row) for label, row in rows.items()}
    shown = list(by_label.values())
    columns = max(len(row) for row in shown)
    gap, text = 6, 22
    half = columns * (cell + gap)
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font, bold = (ImageFont.truetype(str(fonts / name), 13) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"))
    labels = list(by_label)
    width = max(2 * half + 4 * gap, *(round(font.getlength(label)) + 2 * gap for label in labels))
    sheet = Image.new("RGB", (width, 2 * text + gap + len(shown) * (text + cell + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    starts = {"base": gap, "tuned": half + 3 * gap}
    for name, left in starts.items():
        draw.text((left, 6), words.short(name).upper(), "black", bold)
    draw.text((gap, sheet.height - text), "red frame and cross: anomaly", ANOMALY_RED, font)
    for index, row in enumerate(shown):
        top = text + gap + index * (text + cell + gap)
        draw.text((gap, top + 4), labels[index], "black", font)
        for model, left in starts.items():
            images = [pair.base if model == "base" else pair.tuned for pair in row]
            pictures = [fitted(Image.fromarray(load_image(image.path)), cell) for image in images]
            corners = paste_in_rows(
                sheet, pictures, columns=columns, side=cell, start=(left, top + text), gaps=(gap, gap)
            )
            for image, corner in zip(images, corners, strict=True):
                if image.anomalies:
                    _mark(draw, corner, cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _by_prompt(pairs: Sequence[ImagePair]) -> dict[str, list[ImagePair]]:
    rows: dict[str, list[ImagePair]] = {}
    for pair in pairs:
        rows.setdefault(f"{' '.join(pair.prompt.split())}   ({pair.group.replace('_', '-')})", []).append(pair)
    return rows


def _mark(draw: ImageDraw.ImageDraw, corner: Corner, side: int) -> None:
    """A red frame, and a white cross on a red square in the upper right corner."""
    x, y = corner
    draw.rectangle([x, y, x + side - 1, y + side - 1], outline=ANOMALY_RED, width=4)
    left, badge, inset = x + side - 22, 22, 6
    draw.rectangle([left, y, left + badge - 1, y + badge - 1], fill=ANOMALY_RED)
    ends = (left + inset, y + inset, left + badge - inset, y + badge - inset)
    draw.line([ends[0], ends[1], ends[2], ends[3]], fill="white", width=3)
    draw.line([ends[0], ends[3], ends[2], ends[1]], fill="white", width=3)
