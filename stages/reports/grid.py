"""Base and tuned images of the same prompt and seed, side by side, anomalous ones marked by a frame and a cross."""

from __future__ import annotations

import base64
import io
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from stages.imagefolder import load_image

KEYS = ["prompt", "seed"]
ANOMALY_RED = (200, 44, 40)
MAX_PAIRS = 100
CELL = 128
THUMBNAIL_SIDES = (192, 160, 128, 96, 64)
"""Sides in pixels, the first that keeps to the budget."""
BYTE_BUDGET = 3_400_000
"""Thumbnails of a report in base64: with the rest, the page stays below 5 MB."""


@dataclass(frozen=True)
class Shot:
    """One image and what the anatomy checker found in it."""

    path: Path
    anomalies: tuple[str, ...] | None
    """Words such as `missing arm`; empty for a right figure; None where it was not assessed."""

    @property
    def finding(self) -> str:
        """The finding in words."""
        if self.anomalies is None:
            return "not assessed"
        return ", ".join(self.anomalies) or "no anomaly"


@dataclass(frozen=True)
class Pair:
    """The same prompt and seed, drawn by both models."""

    prompt: str
    group: str
    seed: int
    base: Shot
    tuned: Shot


def first_pairs(
    samples_base: pd.DataFrame,
    samples_tuned: pd.DataFrame,
    images_base: pd.DataFrame,
    images_tuned: pd.DataFrame,
    per_prompt: int,
    max_pairs: int = MAX_PAIRS,
) -> list[Pair]:
    """The first seeds of every prompt, so that no picture is chosen by its result; target prompts come first.

    Args:
        samples_base, samples_tuned: image sets with prompt, seed, group, file_name, path.
        images_base, images_tuned: findings with file_name, anomalous, anomalies.
        per_prompt: pairs a prompt; fewer where `max_pairs` needs it.
        max_pairs: pairs in all.

    Raises:
        ValueError: the two sets share no prompt and seed.
    """
    both = _joined(samples_base, samples_tuned, images_base, images_tuned)
    if both.empty:
        raise ValueError("base and tuned images share no prompt and seed: sample both with the same prompts and seeds")
    both["held_out"] = both["group"] != "target"
    both = both.sort_values(["held_out", *KEYS])
    per_prompt = max(1, min(per_prompt, max_pairs // both["prompt"].nunique()))
    chosen = both.groupby("prompt", sort=False).head(per_prompt).head(max_pairs)
    return [_pair(row) for row in chosen.to_dict("records")]


def named_pairs(
    samples_base: pd.DataFrame,
    samples_tuned: pd.DataFrame,
    images_base: pd.DataFrame,
    images_tuned: pd.DataFrame,
    names: Sequence[tuple[str, int]],
) -> list[Pair]:
    """The pairs of these prompts and seeds, in this order; those that are not there are left out."""
    both = _joined(samples_base, samples_tuned, images_base, images_tuned).set_index(KEYS, drop=False)
    return [_pair(both.loc[[name]].to_dict("records")[0]) for name in names if name in both.index]


def thumbnails(pairs: Sequence[Pair], budget: int = BYTE_BUDGET) -> list[tuple[str, str]]:
    """The images of each pair, (base, tuned), as `data:` URIs of PNGs; as large as the budget (bytes) allows."""
    largest = THUMBNAIL_SIDES[0]
    sources = [_load(shot.path, largest) for pair in pairs for shot in (pair.base, pair.tuned)]
    for side in THUMBNAIL_SIDES:
        uris = [_data_uri(_resized(source, side), exact=max(source.size) < largest) for source in sources]
        if sum(len(uri) for uri in uris) <= budget:
            break
    return list(zip(uris[::2], uris[1::2], strict=True))


def picture_uri(path: Path, width: int) -> str:
    """A picture as `data:` URI of a JPEG, at most so many pixels wide."""
    image = Image.fromarray(load_image(path))
    image.thumbnail((width, 20 * width), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def save_side_by_side(path: Path, pairs: Sequence[Pair], cell: int = CELL) -> None:
    """Write one PNG: a row a prompt, the base model's images in the left half, the tuned one's in the right half.

    Args:
        path: the PNG file; its folder is made.
        pairs: as `first_pairs` returns them.
        cell: side of an image in pixels.

    Raises:
        ValueError: there are no pairs, or an image cannot be read.
    """
    if not pairs:
        raise ValueError("there is no pair of images to show")
    rows = [[pair for pair in pairs if pair.prompt == prompt] for prompt in dict.fromkeys(p.prompt for p in pairs)]
    columns = max(len(row) for row in rows)
    gap, text = 6, 22
    half = columns * (cell + gap)
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font, bold = (ImageFont.truetype(str(fonts / name), 13) for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"))
    labels = [f"{' '.join(row[0].prompt.split())}   ({row[0].group.replace('_', '-')})" for row in rows]
    width = max(2 * half + 4 * gap, *(round(font.getlength(label)) + 2 * gap for label in labels))
    sheet = Image.new("RGB", (width, 2 * text + gap + len(rows) * (text + cell + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    starts = {"base": gap, "tuned": half + 3 * gap}
    for name, left in starts.items():
        draw.text((left, 6), name.upper(), "black", bold)
    draw.text((gap, sheet.height - text), "red frame and cross: anomaly", ANOMALY_RED, font)
    for index, row in enumerate(rows):
        top = text + gap + index * (text + cell + gap)
        draw.text((gap, top + 4), labels[index], "black", font)
        for column, pair in enumerate(row):
            for shot, left in ((pair.base, starts["base"]), (pair.tuned, starts["tuned"])):
                corner = (left + column * (cell + gap), top + text)
                image = _resized(_load(shot.path, cell), cell)
                sheet.paste(image, (corner[0] + (cell - image.width) // 2, corner[1] + (cell - image.height) // 2))
                if shot.anomalies:
                    _mark(draw, corner, cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _joined(
    samples_base: pd.DataFrame, samples_tuned: pd.DataFrame, images_base: pd.DataFrame, images_tuned: pd.DataFrame
) -> pd.DataFrame:
    """One row a prompt and seed of both sets: paths and findings."""
    found = [_with_findings(samples_base, images_base), _with_findings(samples_tuned, images_tuned)]
    return found[0].merge(found[1].drop(columns="group"), on=KEYS, suffixes=("_base", "_tuned"))


def _pair(row: Mapping[Hashable, Any]) -> Pair:
    return Pair(
        row["prompt"],
        row["group"],
        int(row["seed"]),
        Shot(Path(row["path_base"]), row["anomalies_base"]),
        Shot(Path(row["path_tuned"]), row["anomalies_tuned"]),
    )


def _with_findings(samples: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """prompt, seed, group, path and anomalies (tuple, or None where not assessed)."""
    # Where no image is anomalous, pandas reads the empty column as numbers.
    words = images["anomalies"].astype(object).where(images["anomalies"].notna(), "")
    findings = {
        name: (tuple(word.replace("_", " ") for word in text.split()) or ("anomalous",)) if int(anomalous) else ()
        for name, anomalous, text in zip(images["file_name"], images["anomalous"], words, strict=True)
        if pd.notna(anomalous)
    }
    table = samples[["prompt", "seed", "group", "path"]].copy()
    table["anomalies"] = pd.Series([findings.get(name) for name in samples["file_name"]], samples.index, dtype=object)
    return table


def _load(path: Path, largest: int) -> Image.Image:
    """An image, reduced where its longer side is above `largest` pixels."""
    image = Image.fromarray(load_image(path))
    image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    return image


def _resized(image: Image.Image, side: int) -> Image.Image:
    """Small images are enlarged by a whole factor, without smoothing, so that a person can see them."""
    factor = side // max(image.size)
    if factor >= 1:
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    reduced = image.copy()
    reduced.thumbnail((side, side), Image.Resampling.LANCZOS)
    return reduced


def _data_uri(image: Image.Image, exact: bool) -> str:
    """A PNG; photographs (not exact) in 256 colours, a third of the bytes, which leaves room for larger thumbnails."""
    buffer = io.BytesIO()
    (image if exact else image.quantize(256)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _mark(draw: ImageDraw.ImageDraw, corner: tuple[int, int], side: int) -> None:
    """A red frame, and a white cross on a red square in the upper right corner."""
    x, y = corner
    draw.rectangle([x, y, x + side - 1, y + side - 1], outline=ANOMALY_RED, width=4)
    left, badge, inset = x + side - 22, 22, 6
    draw.rectangle([left, y, left + badge - 1, y + badge - 1], fill=ANOMALY_RED)
    ends = (left + inset, y + inset, left + badge - inset, y + badge - inset)
    draw.line([ends[0], ends[1], ends[2], ends[3]], fill="white", width=3)
    draw.line([ends[0], ends[3], ends[2], ends[1]], fill="white", width=3)
