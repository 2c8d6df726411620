"""Makers of pictures as people have them: in every format, turned, transparent, grey, in print colours, and broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomend.miniature.drawn_people import render, sample_individual, sample_scene
from anomend.project.seeding import python_random

ORIENTATION = 0x0112
QUARTER_TURN = 6
"""EXIF: the camera was held upright, so the stored picture lies on its side."""


def drawing(number: int = 0, place: str = "grass") -> NDArray[np.uint8]:
    """A person of the miniature world with right anatomy, (64, 64, 3)."""
    rng = python_random("picture", number)
    return render(sample_scene(rng, "lying", place, sample_individual(python_random("own"))), rng)


def fill(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """Write one picture of every kind, a broken one and a text file; what each good one shows, by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    shown = {}
    for number, name in enumerate(("exact.png", "lossless.webp", "photo.jpg", "turned.jpeg", "alpha.png")):
        shown[name] = drawing(number)
    Image.fromarray(shown["exact.png"]).save(folder / "exact.png")
    Image.fromarray(shown["lossless.webp"]).save(folder / "lossless.webp", lossless=True)
    Image.fromarray(shown["photo.jpg"]).save(folder / "photo.jpg", quality=100, subsampling=0)
    exif = Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    # Shown a quarter turn clockwise, so stored a quarter turn against the clock.
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(shown["turned.jpeg"], 1)))
    lying.save(folder / "turned.jpeg", quality=100, subsampling=0, exif=exif)
    alpha = np.full((64, 64, 1), 255, np.uint8)
    alpha[:8] = 0
    Image.fromarray(np.concatenate([shown["alpha.png"], alpha], axis=2)).save(folder / "alpha.png")
    shown["alpha.png"] = shown["alpha.png"].copy()
    shown["alpha.png"][:8] = 255
    grey = Image.fromarray(drawing(5)).convert("L")
    grey.save(folder / "grey.png")
    shown["grey.png"] = np.repeat(np.asarray(grey)[..., None], 3, axis=2)
    shown["print.jpg"] = drawing(6)
    Image.fromarray(shown["print.jpg"]).convert("CMYK").save(folder / "print.jpg", quality=100, subsampling=0)
    whole = (folder / "exact.png").read_bytes()
    (folder / "corrupt.png").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("milk, bread")
    return shown
