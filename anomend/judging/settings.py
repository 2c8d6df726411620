"""What the judges need to be built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anomend.judging.registry import PAID_JUDGES
from anomend.params.detectors import DetectorParams
from anomend.params.evaluation import JudgeParams
from anomend.purchasing.environment import purchase_settings
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
    device: str = "auto"
    """Where detectors run that can use a GPU."""
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


def judge_purchases(
    params: JudgeParams, *, environment: Mapping[str, str], project: Path, prices: Path, retired_models: Path
) -> dict[str, PurchaseSettings]:
    """The model and the money of each paid judge, by its name; see `purchase_settings`."""
    return {
        name: purchase_settings(
            name,
            model=getattr(params.models, name),
            model_parameter=f"judge.models.{name}",
            max_usd=params.max_usd,
            budget_parameter="judge.max_usd",
            requests=params.requests,
            environment=environment,
            project=project,
            prices=prices,
            retired_models=retired_models,
        )
        for name in params.judges
        if name in PAID_JUDGES
    }
