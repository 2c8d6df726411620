"""The one reader of pictures: JPEG, PNG or WebP, upright and as RGB.

Pictures come from anywhere, so nothing in them is trusted: sizes are checked in the header, before memory is taken for
the pixels; EXIF, colour profiles and further frames may be broken without the picture being lost.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_SIDE = 4096
"""Pixels; pictures with a longer side are scaled down. Four times what any supported base is trained at."""
MAX_MEGAPIXELS = 178
"""A picture of 100 megapixels is large, but not an attack."""
ORIENTATION = 0x0112
"""The EXIF tag that says how a picture has to be turned or mirrored."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation to what shows the picture upright; 1 is upright."""


def read_picture(source: Path | bytes, *, largest: int | None = MAX_SIDE) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Read a picture as RGB: turned as its EXIF says, in sRGB, transparency on white, the first of several frames.

    Args:
        source: a file, or its bytes.
        largest: longest side in pixels; larger pictures are scaled down. None leaves every picture its size.

    Returns:
        The picture, (H, W, 3) of uint8, and what was changed or could not be used, such as ("turned upright", "CMYK").

    Raises:
        ValueError: not a JPEG, PNG or WebP picture, too large, or broken; the message does not name the file.
    """
    image, changes = _decoded(source)
    image, turned = _upright(image)
    image, colour_changes = _to_rgb(image)
    changes += turned + colour_changes
    if largest is not None and max(image.size) > largest:
        image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
        changes.append(f"scaled to {largest} pixels")
    return np.array(image), tuple(changes)


def check_format(source: Path | bytes) -> None:
    """Refuse what is not a picture by its first bytes, whatever its name.

    Raises:
        ValueError: it begins as no JPEG, PNG or WebP picture does, or may not be read.
    """
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                source = file.read(12)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise ValueError("may not be read: give yourself permission (chmod u+r)") from None
        raise ValueError(f"cannot be read ({error.strerror}): copy it again, or remove it") from None
    if not (source.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n")) or source[:4] + source[8:12] == b"RIFFWEBP"):
        raise ValueError("not a JPEG, PNG or WebP picture: save it as one, or remove it")


def _decoded(source: Path | bytes) -> tuple[Image.Image, list[str]]:
    """A picture with its pixels, and whether it is the first of several."""
    check_format(source)
    changes = []
    try:
        with warnings.catch_warnings():
            # About sizes, which are checked here, and about broken EXIF, which `_upright` looks at.
            warnings.simplefilter("ignore")
            image: Image.Image = _opened(source)
            width, height = image.size
            if width * height > MAX_MEGAPIXELS * 1_000_000:
                raise Image.DecompressionBombError
            if image.format == "PNG":
                # A flipped bit often decodes to other pixels without an error; the checksums tell.
                _opened(source).verify()
            if getattr(image, "n_frames", 1) > 1:
                changes.append("first of several frames")
            image.load()
    except UnidentifiedImageError:
        raise ValueError("broken or cut off (its header): copy it again, or remove it") from None
    except Image.DecompressionBombError:
        raise ValueError(f"more than {MAX_MEGAPIXELS} megapixels: scale it down") from None
    except MemoryError:
        raise ValueError("larger than this machine's memory: scale it down") from None
    except Exception as error:
        # Whatever broken bytes make Pillow raise (OSError, SyntaxError, KeyError, struct.error ...): one picture less.
        cause = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"broken or cut off ({cause}): copy it again, or remove it") from None
    return image, changes


def _opened(source: Path | bytes) -> Image.Image:
    """A picture of which only the header was read."""
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)


def _upright(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """A picture turned by its EXIF orientation, and what was done. No other entry of the EXIF is read or written."""
    orientation, is_whole = _orientation(image)
    if orientation in TURNS:
        return image.transpose(TURNS[orientation]), ["turned upright"]
    if not is_whole:
        return image, ["damaged EXIF, so not turned"]
    return image, [] if orientation == 1 else ["unknown EXIF orientation, so not turned"]


def _orientation(image: Image.Image) -> tuple[object, bool]:
    """What a picture's EXIF, or else its XMP, has as orientation (1 if nothing), and whether the EXIF could be read."""
    # Not image.getexif(), which after an error when the file was opened is empty without a word.
    exif, is_whole = Image.Exif(), True
    # Cameras and programs write EXIF wrongly in many ways, for which Pillow warns or raises many exceptions.
    with warnings.catch_warnings(record=True) as damages:
        warnings.simplefilter("always")
        try:
            exif.load(image.info.get("exif", b""))
        except Exception:
            is_whole = False
    is_whole = is_whole and not damages
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            # What was read before the damage holds.
            orientation = exif.get(ORIENTATION)
            if orientation is None and is_whole:
                orientation = image.getexif().get(ORIENTATION)
        except Exception:
            return None, False
    return 1 if orientation is None else orientation, is_whole


def _to_rgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """An image of any of Pillow's modes as RGB in sRGB, and what was changed."""
    changes = []
    if image.mode.startswith("I"):
        # Pillow's conversion clips 16 bits at 255.
        grey = np.asarray(image, dtype=np.int64).clip(0, 65535) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB"), ["16-bit greyscale"]
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        clear = bool((np.asarray(rgba)[..., 3] < 255).any())
        flat = Image.new("RGBA", rgba.size, "white")
        flat.alpha_composite(rgba)
        flat.info["icc_profile"] = image.info.get("icc_profile")
        changes += ["transparency on white"] * clear
        image = flat.convert("RGB")
        image.info["icc_profile"] = flat.info["icc_profile"]
    elif image.mode in ("L", "1"):
        changes.append("greyscale")
    elif image.mode == "CMYK":
        changes.append("CMYK")
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK"):
        try:
            embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in (ImageCms.getProfileDescription(embedded) or ""):
                converted = ImageCms.profileToProfile(image, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB")
                if converted is not None:
                    return converted, [*changes, "colour profile applied"]
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            changes.append("unusable colour profile")
    return image.convert("RGB"), changes
