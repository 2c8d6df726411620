"""The LLM judges: a pair of images as a question to a model behind a paid API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anomend.judging.llm_client import LlmClient
from anomend.judging.llm_requests import LlmQuestion, SentImage
from anomend.judging.protocol import BlindPair, JudgeQuestion, Reply, blind
from anomend.judging.provider import Provider
from anomend.judging.settings import LlmSettings
from anomend.judging.verdicts import parse_verdict
from anomend.judging.wording import SYSTEM, question_text, verdict_schema


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

    def question(self, show: Callable[[], BlindPair]) -> LlmQuestion:
        """The question about a pair: it holds the repeat's number, and nothing that tells which model drew what.

        Args:
            show: returns the pair, now and when it is sent.
        """
        pair = show()
        return LlmQuestion(
            system=SYSTEM,
            text=question_text(pair, self.settings.question),
            schema=verdict_schema(),
            images=(
                SentImage.of("Image A", pair.image_a, partial(_image, show, "image_a")),
                SentImage.of("Image B", pair.image_b, partial(_image, show, "image_b")),
            ),
            repeat=pair.repeat,
            problem_of=lambda text: parse_verdict(text)[1],
        )

    def questions(self, questions: Iterable[JudgeQuestion]) -> list[LlmQuestion]:
        """All questions of a run; their images are read again when they are sent."""
        return [self.question(partial(blind, question)) for question in questions]

    def judge(self, pair: BlindPair) -> Reply:
        """The stored answer about a pair.

        Raises:
            ValueError: it has not been bought.
        """
        return self.client.reply(self.question(lambda: pair))


def _image(show: Callable[[], BlindPair], name: Literal["image_a", "image_b"]) -> NDArray[np.uint8]:
    image: NDArray[np.uint8] = getattr(show(), name)
    return image
