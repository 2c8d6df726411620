"""Texts as names: of files, and of metrics."""

from __future__ import annotations

import hashlib
import re

LONGEST = 100


def slug(text: str) -> str:
    """A prompt as part of a file name or of a metric's key: letters and digits, the rest as single underscores.

    Where letters beyond ASCII or the end of a long text are left out, a digest tells it from other texts.
    """
    kept = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if len(kept) <= LONGEST and not any(letter.isalnum() and not letter.isascii() for letter in text):
        return kept
    return f"{kept[:LONGEST]}_{hashlib.sha256(text.encode()).hexdigest()[:8]}".lstrip("_")
