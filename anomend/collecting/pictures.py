"""Pictures as people have them, JPEG, PNG or WebP, read upright and as plain RGB."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_SIDE = 4096
"""Longer sides (pixels) are scaled down: four times what any supported base is trained at."""


def read_picture(source: Path | bytes) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Read a picture as RGB: turned as its EXIF says, in sRGB, transparency laid on white, the first frame of several.

    Args:
        source: a file, or its bytes.

    Returns:
        The picture, (H, W, 3) of uint8, and what was changed on the way, such as ("turned upright", "CMYK").

    Raises:
        ValueError: no JPEG, PNG or WebP, or one that is broken; the sentence does not name the file.
    """
    changes = []
    try:
        with warnings.catch_warnings():
            # A picture of a hundred megapixels is large, and no attack; beyond twice that Pillow raises.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(
                io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
            )
            image.load()
    except PermissionError:
        raise ValueError("may not be read: give yourself leave (chmod u+r)") from None
    except UnidentifiedImageError:
        raise ValueError("no JPEG, PNG or WebP picture") from None
    except Image.DecompressionBombError:
        raise ValueError("more than 178 megapixels: scale it down") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError(f"broken or cut off ({error})") from None
    if getattr(image, "n_frames", 1) > 1:
        changes.append("first of several frames")
    if image.getexif().get(0x0112, 1) != 1:
        image = ImageOps.exif_transpose(image)
        changes.append("turned upright")
    image, how = _to_rgb(image)
    changes += how
    if max(image.size) > MAX_SIDE:
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        changes.append(f"scaled to {MAX_SIDE} pixels")
    return np.array(image), tuple(changes)


def _to_rgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Any of Pillow's modes as RGB in sRGB, and what that took."""
    changes = []
    if image.mode.startswith("I"):
        # Pillow's own conversion cuts 16 bits off at 255.
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
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in (ImageCms.getProfileDescription(own) or ""):
                converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
                if converted is not None:
                    return converted, [*changes, "colour profile applied"]
        except (ImageCms.PyCMSError, OSError):
            changes.append("unusable colour profile")
    return image.convert("RGB"), changes
