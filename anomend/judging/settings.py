"""What the judges need to be built."""

from __future__ import annotations

from dataclasses import dataclass

from anomend.params.detectors import DetectorParams
from anomend.purchasing.settings import PurchaseSettings


@dataclass(frozen=True, kw_only=True)
class LlmSettings:
    """How an LLM judge is questioned and paid."""

    purchase: PurchaseSettings
    """The model and the money of this judge."""
    question: str
    """Which of two images is the more natural, in the words that people read."""
    image_size: int
    """Longer side at which images are sent, pixels."""
    max_tokens: int
    """Tokens of an answer at most, its thinking included."""
    batch: bool = False
    """Use the vendor's batch API: half the price, answers within a day."""
    poll_s: float = 30.0
    """Seconds between two checks of a batch."""


@dataclass(frozen=True, kw_only=True)
class JudgeSettings:
    """What any judge may need; each takes what it uses."""

    detector: str
    """Name of the anatomy detector."""
    detectors: DetectorParams
    """Parameters of the detectors."""
    llm: LlmSettings | None = None
    """For paid judges."""

    def paid(self) -> LlmSettings:
        """The settings of a paid judge.

        Raises:
            ValueError: there are none.
        """
        if self.llm is None:
            raise ValueError("an LLM judge needs its model: set judge.models")
        return self.llm
