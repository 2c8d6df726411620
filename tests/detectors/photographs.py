"""Makers of pictures that must not teach the model, out of the published images by pasting, scaling and blurring."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from anomend.detectors.photographs.networks import missing_networks
from anomend.project.seeding import numpy_generator
from tests.conftest import ROOT

NETWORKS = ROOT / "models/photographs"
PAPER = Path(os.environ.get("ANOMEND_PAPER_IMAGES") or ROOT / "data/paper/images")

needs_networks = pytest.mark.skipif(
    bool(missing_networks(NETWORKS)), reason="the networks are missing: `make photograph-models`"
)
needs_paper = pytest.mark.skipif(
    not (PAPER / "instance").is_dir(), reason="no published images: set ANOMEND_PAPER_IMAGES, or `make paper-images`"
)

Picture = NDArray[np.uint8]
SIDE = 1024


def published(name: str = "instance") -> list[Picture]:
    """The published images of a set, (1024, 1024, 3)."""
    paths = sorted(path for path in (PAPER / name).iterdir() if path.suffix in (".jpeg", ".png"))
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def side_by_side(first: Picture, second: Picture) -> Picture:
    """Two people in a picture twice as wide."""
    return np.concatenate([first, second], axis=1)


def squeezed(first: Picture, second: Picture) -> Picture:
    """Two people in a square, each half as wide."""
    halves = [np.asarray(Image.fromarray(one).resize((SIDE // 2, SIDE))) for one in (first, second)]
    return np.concatenate(halves, axis=1)


def grid(pictures: list[Picture], across: int) -> Picture:
    """across x across people in a square."""
    side = SIDE // across
    sheet = Image.new("RGB", (side * across, side * across))
    for place in range(across * across):
        one = Image.fromarray(pictures[place % len(pictures)]).resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(one, (place % across * side, place // across * side))
    return np.asarray(sheet)


def second_in_the_corner(picture: Picture, other: Picture, side: int = 300) -> Picture:
    """A small second person, as if behind the first."""
    sheet = Image.fromarray(picture)
    sheet.paste(Image.fromarray(other).resize((side, side), Image.Resampling.LANCZOS), (20, 20))
    return np.asarray(sheet)


def without_people(picture: Picture) -> Picture:
    """The ground next to the person, enlarged to a picture."""
    corner = Image.fromarray(picture).crop((0, 0, 230, 300))
    return np.asarray(corner.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def tiny(picture: Picture, side: int = 160) -> Picture:
    """The person far away."""
    sheet = Image.fromarray(without_people(picture))
    sheet.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS), (600, 500))
    return np.asarray(sheet)


def portrait(picture: Picture, head: NDArray[np.generic], reach: float = 1.5) -> Picture:
    """Head and shoulders, enlarged to a picture; `head` are the face's key points, (n, 2)."""
    middle, size = head.mean(axis=0), float(np.ptp(head, axis=0).max())
    left, top = np.maximum(middle - reach * size, 0)
    right, bottom = np.minimum(middle + reach * size, SIDE)
    part = Image.fromarray(picture).crop((int(left), int(top), int(right), int(bottom)))
    return np.asarray(part.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def on_the_wall(picture: Picture, portrait: Picture, side: int = 600) -> Picture:
    """A framed portrait before a plain wall, on which nobody is."""
    wall = Image.fromarray(without_people(picture))
    wall.paste((60, 40, 20), (180, 120, 220 + side, 160 + side))
    wall.paste(Image.fromarray(portrait).resize((side, side), Image.Resampling.LANCZOS), (200, 140))
    return np.asarray(wall)


def blurred(picture: Picture, radius: float = 6) -> Picture:
    """Out of focus, by a Gaussian of this standard deviation in pixels."""
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def near_duplicate(picture: Picture) -> Picture:
    """The same picture once more, cropped by a hair, scaled back and mirrored."""
    inner = Image.fromarray(picture).crop((12, 12, SIDE - 12, SIDE - 12)).resize((SIDE, SIDE))
    return np.asarray(inner.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def upscaled(picture: Picture, side: int = 128) -> Picture:
    """A thumbnail blown up."""
    return np.asarray(Image.fromarray(picture).resize((side, side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def busy(picture: Picture, person: NDArray[np.bool_]) -> Picture:
    """The person before a patchwork wall."""
    patches = numpy_generator("wall").integers(0, 256, (SIDE // 32, SIDE // 32, 3), dtype=np.uint8)
    wall = patches.repeat(32, axis=0).repeat(32, axis=1)
    return np.where(person[..., None], picture, wall)
