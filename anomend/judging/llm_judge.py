"""The LLM judges: a pair of images as a question to a model behind a paid API."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomend.judging.llm_client import LlmClient
from anomend.judging.llm_requests import LlmQuestion, SentImage
from anomend.judging.protocol import BlindPair, Box, JudgeQuestion, Reply, shown
from anomend.judging.provider import Provider
from anomend.judging.settings import LlmSettings
from anomend.judging.verdicts import parse_verdict
from anomend.judging.wording import SYSTEM, question_text, verdict_schema

LABELS = ("Image A", "Image B")


class LlmJudge:
    """A judge behind a paid API.

    Args:
        provider: the vendor.
        settings: model, question, images, money.

    Raises:
        ValueError: the model is retired or has no price.
    """

    def __init__(self, provider: Provider, settings: LlmSettings) -> None:
        self.provider, self.model = provider.name, settings.purchase.model
        self.settings = settings
        self.client = LlmClient(provider, settings)

    def questions(self, questions: Iterable[JudgeQuestion]) -> list[LlmQuestion]:
        """All questions of a run. An image is read once for all that are about it, and again when it is sent."""
        images: dict[tuple[Path, Box | None], SentImage] = {}
        made = []
        for question in questions:
            for place in question.places():
                if place not in images:
                    images[place] = SentImage.of("", shown(*place), partial(shown, *place))
            pair = [images[place].labelled(label) for place, label in zip(question.places(), LABELS, strict=True)]
            made.append(self._question(pair, prompt=question.prompt, part=question.part, repeat=question.repeat))
        return made

    def judge(self, pair: BlindPair) -> Reply:
        """The stored answer about a pair.

        Raises:
            ValueError: it has not been bought.
        """
        return self.client.reply(self.question(pair))

    def question(self, pair: BlindPair) -> LlmQuestion:
        """The question about a pair that is in memory."""
        images = [
            SentImage.of(label, image, partial(_same, image))
            for label, image in zip(LABELS, (pair.image_a, pair.image_b), strict=True)
        ]
        return self._question(images, prompt=pair.prompt, part=pair.part, repeat=pair.repeat)

    def _question(self, images: list[SentImage], *, prompt: str, part: str | None, repeat: int) -> LlmQuestion:
        """It holds the repeat's number, and nothing that tells which model drew what."""
        return LlmQuestion(
            system=SYSTEM,
            text=question_text(prompt, part, self.settings.question),
            schema=verdict_schema(),
            images=tuple(images),
            repeat=repeat,
            problem_of=lambda text: parse_verdict(text)[1],
        )


def _same(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image
