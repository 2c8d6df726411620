"""The one reader of texts that people write by hand or other programs save: UTF-8, or UTF-16 with its mark."""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

MOST_BYTES = 64 * 1024**2
"""A larger file is not a text that someone wrote."""


def read_text(path: Path, *, most_bytes: int = MOST_BYTES) -> str:
    r"""Read a text: UTF-8 with or without a byte order mark, or UTF-16 with one; every line ends in "\n".

    Nothing is replaced or guessed: a wrong guess of the encoding would be trained on in silence.

    Args:
        path: the file.
        most_bytes: largest size.

    Raises:
        ValueError: another encoding, characters that no text has, lost characters, or too large; in one sentence that
            names the file and the fix. Also where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}): give yourself permission, or copy it again"
        ) from None
    if len(content) > most_bytes:
        raise ValueError(
            f"{path} has more than {most_bytes} bytes: it is not the text that belongs here, so replace it"
        )
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        wrong = "is not UTF-8" if encoding == "utf-8-sig" else "is broken UTF-16"
        raise ValueError(f"{path} {wrong}: save it again in UTF-8") from None
    if any(unicodedata.category(letter) == "Cc" and letter not in "\t\n\v\f\r\x85" for letter in set(text)):
        # UTF-16 and UTF-32 without their marks, and the Japanese and Chinese encodings of 7 bits, decode to such.
        raise ValueError(f"{path} has control characters, so it is another encoding or no text: save it again in UTF-8")
    if "\ufffd" in text:
        raise ValueError(f"{path} has lost characters (\ufffd) in a conversion: write them again, in UTF-8")
    return text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
