"""The places of the miniature world: sky, ground and a few marks, drawn behind the person."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

SIZE = 64
"""Side of an image in pixels."""
OVERSAMPLING = 4
"""Pictures are drawn this many times larger and box-reduced, which anti-aliases every edge."""

PLACES = ("grass", "street", "beach", "snow")
LIGHTS = ("noon", "dawn", "dusk")

Colour = tuple[int, int, int]

GROUND: dict[str, Colour] = {
    "grass": (96, 152, 84),
    "street": (132, 132, 138),
    "beach": (222, 204, 160),
    "snow": (232, 238, 244),
}
SKY: dict[str, Colour] = {"noon": (170, 208, 240), "dawn": (200, 204, 210), "dusk": (226, 190, 176)}
BRIGHTNESS = {"noon": 1.04, "dawn": 0.92, "dusk": 0.80}


def shade(colour: Colour, factor: float) -> Colour:
    """The colour, brighter (factor > 1) or darker (factor < 1), clipped to 8 bits."""
    red, green, blue = (int(max(0, min(255, channel * factor))) for channel in colour)
    return red, green, blue


def draw_place(place: str, light: str, rng: random.Random) -> Image.Image:
    """Draw an empty place.

    Args:
        place: one of `PLACES`.
        light: one of `LIGHTS`.
        rng: source of the horizon's height and of the marks on the ground.

    Returns:
        An RGB image of side `SIZE * OVERSAMPLING`.
    """
    k = OVERSAMPLING
    image = Image.new("RGB", (SIZE * k, SIZE * k))
    draw = ImageDraw.Draw(image)
    horizon = rng.uniform(13, 19)
    brightness = BRIGHTNESS[light]
    ground = shade(GROUND[place], brightness)
    for row in range(0, SIZE * k, k):
        y = row / k
        if y < horizon:
            colour = shade(SKY[light], 1.0 + 0.004 * (y - 8))
        else:
            colour = shade(ground, 0.93 + 0.12 * (y - horizon) / (SIZE - horizon))
        draw.rectangle([0, row, SIZE * k, row + k], fill=colour)
    _MARKS[place](draw, horizon, ground, brightness, rng)
    return image


def _grass(draw: ImageDraw.ImageDraw, horizon: float, ground: Colour, brightness: float, rng: random.Random) -> None:
    k = OVERSAMPLING
    for _ in range(14):
        x, y = rng.uniform(0, SIZE), rng.uniform(horizon + 3, SIZE - 1)
        draw.line([x * k, y * k, (x + 0.6) * k, (y - 2.4) * k], fill=shade(ground, 0.84), width=3)


def _street(draw: ImageDraw.ImageDraw, horizon: float, ground: Colour, brightness: float, rng: random.Random) -> None:
    k = OVERSAMPLING
    kerb, paint = shade((168, 166, 160), brightness), shade((214, 214, 206), brightness)
    draw.rectangle([0, horizon * k, SIZE * k, (horizon + 2) * k], fill=kerb)
    start = rng.uniform(-10, 0)
    for dash in range(6):
        left = start + dash * 14
        draw.rectangle([left * k, 60 * k, (left + 7) * k, 61.5 * k], fill=paint)


def _beach(draw: ImageDraw.ImageDraw, horizon: float, ground: Colour, brightness: float, rng: random.Random) -> None:
    k = OVERSAMPLING
    draw.rectangle([0, (horizon - 4) * k, SIZE * k, horizon * k], fill=shade((140, 190, 205), brightness))


def _snow(draw: ImageDraw.ImageDraw, horizon: float, ground: Colour, brightness: float, rng: random.Random) -> None:
    k = OVERSAMPLING
    for _ in range(3):
        x, width = rng.uniform(0, SIZE), rng.uniform(10, 18)
        box = [(x - width) * k, (horizon - 3) * k, (x + width) * k, (horizon + 4) * k]
        draw.pieslice(box, 180, 360, fill=shade(ground, 0.93))


_MARKS = {"grass": _grass, "street": _street, "beach": _beach, "snow": _snow}
