"""Where instance images come from; a new source is one file here and one line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from anomend.collecting.drawn_people import collect_drawn_people
from anomend.collecting.folder import collect_folder
from anomend.collecting.image import Skipped, SourceImage, SourceSettings
from anomend.collecting.paper import collect_paper

Source = Callable[[Sequence[str], int, SourceSettings], Iterator[SourceImage | Skipped]]
"""(target prompts, how many images at most, settings) -> images, and what was left out."""


def _openai(prompts: Sequence[str], count: int, settings: SourceSettings) -> Iterator[SourceImage | Skipped]:
    # The client takes a second to import, which only those who buy should wait for.
    from anomend.collecting.openai_images import collect_openai

    if settings.openai is None:
        raise ValueError("the source `openai` needs the parameters collect.openai")
    return collect_openai(prompts, count, settings.openai)


SOURCES: dict[str, Source] = {
    "drawn_people": lambda prompts, count, settings: collect_drawn_people(prompts, count, settings.seed),
    "folder": collect_folder,
    "paper": collect_paper,
    "openai": _openai,
}
"""Every source by its name."""
