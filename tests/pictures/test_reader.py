"""Pictures as cameras and programs write them: read as a viewer shows them, or refused in one sentence with the fix."""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from anomend.pictures.reader import check_format, read_picture
from tests.collecting.pictures import ORIENTATION, drawing

EIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""EXIF 2.3: how stored pixels are shown, by orientation."""


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")


def test_sixteen_bits_of_grey_keep_their_shades(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)[None].repeat(64, axis=0)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    image, changes = read_picture(tmp_path / "deep.png")
    assert np.array_equal(image[0, :, 0], ramp[0] // 256) and changes == ("16-bit greyscale",)


def test_a_colour_profile_is_applied(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ"))
    Image.fromarray(drawing()).save(tmp_path / "odd.png", icc_profile=lab.tobytes())
    assert read_picture(tmp_path / "odd.png")[1] == ("unusable colour profile",)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    Image.fromarray(drawing()).save(tmp_path / "usual.png", icc_profile=srgb.tobytes())
    image, changes = read_picture(tmp_path / "usual.png")
    assert np.array_equal(image, drawing()) and changes == ()


def test_a_huge_picture_is_scaled_down(tmp_path: Path) -> None:
    Image.new("RGB", (5000, 100)).save(tmp_path / "wide.png")
    image, changes = read_picture(tmp_path / "wide.png")
    assert image.shape == (82, 4096, 3) and changes == ("scaled to 4096 pixels",)


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [Image.fromarray(drawing(number)) for number in range(3)]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:], lossless=True)
    image, changes = read_picture(tmp_path / "moving.webp")
    assert np.array_equal(image, drawing(0)) and changes == ("first of several frames",)


@pytest.mark.parametrize("orientation", EIGHT)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_each_of_the_eight_orientations_is_shown_upright(kind: str, orientation: int) -> None:
    stored = drawing()[:, :48]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image, changes = read_picture(encoded(stored, kind, exif=exif, lossless=True))
    assert np.array_equal(image, EIGHT[orientation](stored))
    assert changes == (() if orientation == 1 else ("turned upright",))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_a_picture_with_broken_exif_is_kept_with_a_note(kind: str) -> None:
    stored = np.full((16, 24, 3), 90, np.uint8)
    for exif in (b"Exif\0\0\x00\x08\x00\x02\x01\x12\x00\x03", b"Exif\0\0MM", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            image, changes = read_picture(encoded(stored, kind, exif=exif))
        assert np.abs(image.astype(int) - stored).max() <= 2, "kept, and not turned"
        assert changes == ("damaged EXIF, so not turned",)


def test_an_orientation_that_is_none_is_noted() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 9
    assert read_picture(encoded(drawing(), exif=exif))[1] == ("unknown EXIF orientation, so not turned",)


def test_a_decompression_bomb_is_refused_by_its_header_before_its_pixels_take_memory() -> None:
    # Few bytes of zeros that unpack to gigabytes; only the header is whole, so whoever decodes it says "cut off".
    header = chunk(b"IHDR", (40_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0]))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10**6)))
    with pytest.raises(ValueError, match="more than 178 megapixels: scale it down"):
        read_picture(bomb)


def test_a_bomb_is_refused_where_another_library_lifted_pillows_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    test_a_decompression_bomb_is_refused_by_its_header_before_its_pixels_take_memory()


def test_a_text_chunk_that_unpacks_to_much_is_refused() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("comment", "x" * 70_000_000, zip=True)
    with pytest.raises(ValueError, match="broken or cut off"):
        read_picture(encoded(drawing(), pnginfo=texts))


def test_no_flipped_bit_of_a_png_gives_other_pixels_in_silence() -> None:
    whole = encoded(drawing()[:24, :24])
    first = whole.index(b"IDAT")
    refused = 0
    for place in range(first, len(whole) - 12):
        broken = bytearray(whole)
        broken[place] ^= 4
        try:
            image, _ = read_picture(bytes(broken))
        except ValueError as error:
            assert "broken or cut off" in str(error)
            refused += 1
            continue
        assert np.array_equal(image, drawing()[:24, :24])
    assert refused > 50


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_cut_off_picture_is_refused_wherever_it_is_cut(kind: str) -> None:
    whole = encoded(drawing(), kind)
    for length in range(0, len(whole) - 4, 37):
        with pytest.raises(ValueError, match=r"broken or cut off .* copy it again|not a JPEG, PNG or WebP picture"):
            read_picture(whole[:length])


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "PPM", "ICO"])
def test_another_format_is_refused_whatever_its_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(drawing(), kind))
    for check in (check_format, read_picture):
        with pytest.raises(ValueError, match=r"^not a JPEG, PNG or WebP picture: save it as one, or remove it$"):
            check(path)


def test_sixteen_bits_of_colour_keep_their_shades() -> None:
    header = chunk(b"IHDR", (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([16, 2, 0, 0, 0]))
    row = b"".join(value.to_bytes(2, "big") for value in (0, 40_000, 65_535, 255, 256, 1_000))
    deep = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    assert read_picture(deep)[0].tolist() == [[[0, 156, 255], [0, 1, 3]]]
