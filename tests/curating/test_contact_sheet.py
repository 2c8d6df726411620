"""The contact sheet: kept images first in green, names within their pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from anomend.curating.contact_sheet import KEPT, REJECTED, Entry, draw_sheet
from tests.collecting.pictures import drawing


def test_a_long_name_stays_within_its_picture(tmp_path: Path) -> None:
    Image.fromarray(drawing()).save(tmp_path / "a.png")
    long = [Entry(tmp_path / "a.png", name, True, "") for name in ("W" * 200, "<b>名前</b> {{ 1 }}\u202f.png", "")]
    sheet = np.asarray(draw_sheet(long))
    # The strip between the first two pictures is empty beside the names.
    assert (sheet[205:, 202:206] == 255).all()


def test_the_sheet_frames_kept_ones_first_in_green(tmp_path: Path) -> None:
    Image.fromarray(drawing()).save(tmp_path / "a.png")
    entries = [
        Entry(tmp_path / "a.png", "first", False, "blurred (0.1 < 0.4); " * 20),
        Entry(tmp_path / "a.png", "second", True, ""),
    ]
    sheet = draw_sheet(entries)
    colours = [sheet.getpixel((8 - 2 + column * 208 + 60, 8 - 2)) for column in (0, 1)]
    assert colours == [tuple(bytes.fromhex(colour[1:])) for colour in (KEPT, REJECTED)]
