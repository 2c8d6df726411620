"""Parameters of the prompts: what is corrected, and what must not change."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from pydantic import Field, model_validator

from anomend.params.types import Prompt, Section
from anomend.project.slugs import slug

FILLERS = frozenset({"a", "an", "the", "of", "photo", "photograph", "picture", "image", "person"})
"""Words that say nothing of what a prompt shows."""


def content(prompt: str) -> tuple[str, ...]:
    """What a prompt shows: its words in small letters, without punctuation and without `a photo of a person`.

    `A photo of a person lying on the snow.` and `lying on the snow` show the same.
    """
    words: list[str] = re.findall(r"\w+", unicodedata.normalize("NFKC", prompt).casefold())
    return tuple(word for word in words if word not in FILLERS)


class PromptParams(Section):
    """What is corrected, and what must not change."""

    target: list[Prompt] = Field(min_length=1, description="Prompts to correct.")
    held_out: list[Prompt] = Field(min_length=1, description="Prompts on which collateral damage is measured.")
    siblings: list[Prompt] = Field(
        default=[],
        description="Prompts like the target prompts, which training does not see and no clause is about: does the "
        "correction carry over to them? They have as many seeds as held-out prompts. Where prompts.target is set and "
        "they are not, there are none.",
    )

    @property
    def sampled(self) -> list[str]:
        """All prompts that base and tuned model are compared by."""
        return [*self.target, *self.held_out, *self.siblings]

    @model_validator(mode="after")
    def _disjoint(self) -> PromptParams:
        both = sorted(set(self.target) & set(self.held_out))
        if both:
            raise ValueError(f"{both[0]!r} is in prompts.target and in prompts.held_out: remove it from one of them")
        for prompts in (self.target, self.held_out, self.siblings):
            repeated = sorted({prompt for prompt in prompts if prompts.count(prompt) > 1})
            if repeated:
                raise ValueError(f"{repeated[0]!r} is listed twice")
        self.refuse_siblings("prompts.target", self.target)
        self.refuse_siblings("prompts.held_out", self.held_out)
        names: dict[str, str] = {}
        for prompt in self.sampled:
            if (other := names.setdefault(slug(prompt), prompt)) != prompt:
                raise ValueError(
                    f"{other!r} and {prompt!r} differ in punctuation or capitals only, and their images would have the "
                    "same file names: change one"
                )
        return self

    def refuse_siblings(self, parameter: str, prompts: Iterable[str]) -> None:
        """Raise if a sibling shows what one of a parameter's prompts shows: it would not be unseen.

        Raises:
            ValueError: one does; the sentence names both.
        """
        shown = {content(prompt): prompt for prompt in prompts}
        for sibling in self.siblings:
            if (other := shown.get(content(sibling))) is not None:
                raise ValueError(
                    f"prompts.siblings holds {sibling!r}, and {parameter} holds {other!r}, which shows the same: a "
                    "sibling is one that nothing else uses; remove it from one of them (prompts.siblings=[]: none)"
                )
