"""Reads the users' pictures, JPEG, PNG or WebP, upright and as RGB."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_SIDE = 4096
"""Pixels; pictures with a longer side are scaled down. Four times what any supported base is trained at."""


def read_picture(source: Path | bytes) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Read a picture as RGB: turned as its EXIF says, in sRGB, transparency on white, the first of several frames.

    Args:
        source: a file, or its bytes.

    Returns:
        The picture, (H, W, 3) of uint8, and what was changed, such as ("turned upright", "CMYK").

    Raises:
        ValueError: not a JPEG, PNG or WebP picture, or broken; the message does not name the file.
    """
    changes = []
    try:
        with warnings.catch_warnings():
            # A picture of 100 megapixels is large, but not an attack; beyond twice that Pillow raises.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(
                io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
            )
            image.load()
    except PermissionError:
        raise ValueError("may not be read: give yourself permission (chmod u+r)") from None
    except UnidentifiedImageError:
        raise ValueError("not a JPEG, PNG or WebP picture") from None
    except Image.DecompressionBombError:
        raise ValueError("more than 178 megapixels: scale it down") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError(f"broken or cut off ({error})") from None
    if getattr(image, "n_frames", 1) > 1:
        changes.append("first of several frames")
    if image.getexif().get(0x0112, 1) != 1:
        image = ImageOps.exif_transpose(image)
        changes.append("turned upright")
    image, colour_changes = _to_rgb(image)
    changes += colour_changes
    if max(image.size) > MAX_SIDE:
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        changes.append(f"scaled to {MAX_SIDE} pixels")
    return np.array(image), tuple(changes)


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
        except (ImageCms.PyCMSError, OSError):
            changes.append("unusable colour profile")
    return image.convert("RGB"), changes
