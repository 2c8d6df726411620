"""A request, the key of its answer, and what can come of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from anomend.project.files import sha256_of


@dataclass(frozen=True)
class PaidRequest:
    """One request to a paid API."""

    content: dict[str, Any]
    """Everything that is sent and could change the answer, as JSON; images by their SHA-256. No key, no address."""
    estimate_usd: float
    """Dollars that it may cost; rather too many than too few."""
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    """The bytes behind the digests in `content`, such as a reference image; not kept."""

    @cached_property
    def key(self) -> str:
        """SHA-256 of the content, under which its answer is stored. Stored answers are lost if this changes."""
        return sha256_of(json.dumps(self.content, sort_keys=True, ensure_ascii=False))


class Outcome(BaseModel):
    """What came of a request. A refusal is kept like an answer, and not requested again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["answer", "refusal"]
    response: dict[str, Any] = Field(description="The raw response; of a refusal, what there is of one.")
    usd: float = Field(ge=0, description="What it cost.")
    reason: str | None = Field(default=None, description="Of a refusal: why.")
    request_id: str | None = Field(default=None, description="The provider's name of the exchange.")


class Record(BaseModel):
    """A request and its outcome, as they are stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request: dict[str, Any]
    outcome: Outcome
    lost_usd: float = Field(default=0.0, ge=0, description="Estimate of what was paid for it without an answer.")
    kills: int = Field(default=0, ge=0, description="How often a kill fell between it and its answer.")
    stored: str = Field(description="When, UTC.")
