"""What the vendors take in one batch. A run with more requests, or larger ones, sends several batches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BatchLimits:
    """Limits of one batch."""

    requests: int
    bytes: int
    """Of the batch as it is sent; a documented MB is read as 1,000,000, the smaller meaning."""
    source: str
    """Where the vendor documents them."""


BATCH_LIMITS = {
    "anthropic": BatchLimits(100_000, 256_000_000, "docs.claude.com/en/docs/build-with-claude/batch-processing"),
    "openai": BatchLimits(50_000, 200_000_000, "platform.openai.com/docs/guides/batch"),
}
"""By provider."""
