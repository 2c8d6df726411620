"""How images are asked of OpenAI, and paid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anomend.purchasing.purchase import Counts, Patience

KEY = "OPENAI_API_KEY"
"""Environment variable of the key."""


@dataclass(frozen=True)
class OpenAISettings:
    """How images are asked for and paid."""

    model: str
    size: str
    """Width x height, pixels."""
    quality: str
    output_format: str
    input_fidelity: str | None
    """How closely an edit keeps to its reference; None for models that have no such choice."""
    people: Sequence[str]
    """Descriptions, taken in turn: "an elderly man with a grey beard"."""
    contexts: Sequence[str]
    """Where each individual is drawn again: "sitting on a bench"."""
    individual_template: Path
    context_template: Path
    max_usd: float
    concurrency: int
    timeout_s: float
    patience: Patience
    store: Path
    api_key: str | None
    may_spend: bool
    say: Callable[[str], None] = print
    """Where the estimate is printed."""
    progress: Callable[[Counts], None] = lambda _: None
    counts: Counts = field(default_factory=Counts)
    """Filled in as answers come."""
