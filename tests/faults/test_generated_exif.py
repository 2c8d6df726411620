"""Generated EXIF blocks with mutated bytes: the picture is upright, or kept as it is stored with a note; never lost."""

from __future__ import annotations

import io
import struct
import warnings
from collections import Counter
from random import Random

import numpy as np
import pytest
from PIL import Image

from anomend.pictures.reader import read_picture
from anomend.project.seeding import python_random
from tests.faults.table import Row, record
from tests.pictures.test_reader import EIGHT

BLOCKS = 600
"""Per format."""
STORED = np.zeros((16, 24, 3), np.uint8)
STORED[:8, :8], STORED[:8, 8:], STORED[8:, :8] = (200, 30, 30), (30, 200, 30), (30, 30, 200)
"""Four flat fields, so that JPEG keeps each of the eight orientations apart."""
ORIENTATION, SHORT, ASCII, RATIONAL, LONG = 0x0112, 3, 2, 5, 4
OFFSET = 10
"""Of the first byte that is mutated: what follows the marker and the byte order."""


def block(rng: Random, orientation: int) -> bytes:
    """A block as cameras write it, in either byte order: maker, orientation, resolution, a further directory."""
    order = rng.choice("<>")
    entries = [
        (0x010F, ASCII, 6, 100),
        (ORIENTATION, SHORT, 1, orientation << (16 if order == ">" else 0)),
        (0x011A, RATIONAL, 1, 110),
        (0x8769, LONG, 1, 120),
    ]
    directory = b"".join(struct.pack(f"{order}HHLL", *entry) for entry in entries)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", 8)
    content = head + struct.pack(f"{order}H", len(entries)) + directory + bytes(4)
    return (
        b"Exif\0\0"
        + content.ljust(100, b"\0")
        + b"Maker\0".ljust(10, b"\0")
        + struct.pack(f"{order}LL", 72, 1)
        + bytes(8)
    )


def mutated(rng: Random, whole: bytes) -> bytes:
    """A block with some bytes changed, cut off, doubled or left out."""
    content = bytearray(whole)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(6, len(content))
        match rng.randrange(5):
            case 0:
                content[place] = rng.randrange(256)
            case 1:
                content[place] ^= 1 << rng.randrange(8)
            case 2 if len(content) > 20:
                del content[max(place, 12) :]
            case 3:
                content[place:place] = content[place : place + rng.randrange(1, 13)]
            case _ if len(content) > 20:
                del content[place : place + rng.randrange(1, 5)]
    return bytes(content)


def orientations(content: bytes) -> set[int]:
    """What a block can be read to say, by the layout of TIFF 6.0: each value of the orientation in its directory."""
    tiff = content.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 10:
        return set()
    start = struct.unpack(f"{order}L", tiff[4:8])[0]
    if start + 2 > len(tiff):
        return set()
    values = set()
    for number in range(struct.unpack(f"{order}H", tiff[start : start + 2])[0]):
        entry = tiff[start + 2 + 12 * number :][:12]
        if len(entry) < 12:
            break
        tag, kind, count = struct.unpack(f"{order}HHL", entry[:8])
        if tag == ORIENTATION and count == 1:
            width = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l"}.get(kind)
            values |= {struct.unpack(order + width, entry[8 : 8 + struct.calcsize(width)])[0]} if width else set()
    return values


def encoded(kind: str, exif: bytes) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(STORED).save(stream, kind, exif=exif, quality=95, lossless=True)
    return stream.getvalue()


def shown_as(image: np.ndarray) -> set[int]:
    """The orientations that make the stored picture look like this."""
    ways = {number: turn(STORED).astype(int) for number, turn in EIGHT.items()}
    return {n for n, way in ways.items() if way.shape == image.shape and np.abs(way - image).mean() < 12}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_with_mutated_exif_is_kept_and_turned_by_its_orientation_alone(kind: str) -> None:
    rng, outcomes = python_random("exif", kind), Counter[str]()
    for number in range(BLOCKS):
        orientation = number % 8 + 1
        whole = block(rng, orientation)
        exif = whole if number % 10 == 0 else mutated(rng, whole)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image, changes = read_picture(encoded(kind, exif))
        shown = shown_as(image)
        assert shown, (kind, number, image.shape)
        said = [change for change in changes if "EXIF" in change]
        assert len(said) <= 1 and all("\n" not in change for change in changes)
        if exif == whole:
            assert shown == {orientation} and not said, (number, changes)
        elif 1 in shown:
            # As it is stored: because the block says so, says nothing that can be read, or because of the note.
            assert said or not (orientations(exif) & set(range(2, 9))), (number, exif)
        else:
            assert shown & orientations(exif), (number, exif)
        outcomes["with a note" if said else "turned" if changes else "as stored"] += 1
    assert min(outcomes[each] for each in ("with a note", "turned", "as stored")) > BLOCKS // 50, outcomes
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    record(Row("collect", f"mutated EXIF in a {kind} picture", BLOCKS, 0, f"each picture is kept: {told}"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_with_mutated_bytes_is_read_or_refused_in_one_sentence(kind: str) -> None:
    rng, refused = python_random("bytes", kind), Counter[str]()
    whole = encoded(kind, block(rng, 6))
    for _ in range(BLOCKS // 2):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        try:
            image, _ = read_picture(bytes(content)[: rng.choice([None, None, rng.randrange(len(content))])])
        except ValueError as error:
            assert "\n" not in str(error) and ": " in str(error), error
            refused[str(error).partition(" (")[0].partition(":")[0]] += 1
            continue
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
    record(Row("collect", f"mutated bytes in a {kind} picture", BLOCKS // 2, 0, f"read, or refused: {told}"))
    assert refused.total() > 20
