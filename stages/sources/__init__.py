"""Where instance images come from; a new source is one file here and one line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from stages.sources.figures import collect_figures
from stages.sources.image import SourceImage

SOURCES: dict[str, Callable[[Sequence[str], int, int], Iterator[SourceImage]]] = {"figures": collect_figures}
"""Name to (prompts, count, seed) -> images."""
