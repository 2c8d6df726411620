"""What the check measures, the most telling first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PUBLISHED: dict[str, Any] = {
    "batch_size": 3,
    "class_batch_size": 0,
    "micro_batch_size": None,
    "rank": 128,
    "alpha": 128,
    "gradient_checkpointing": False,
}
"""Batch and rank of the steps that SimpleTuner published (docs/costs.md)."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement, made in a process of its own."""

    name: str
    kind: str
    """Key of `measure_row.KINDS`."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the function of that kind."""
    limit: float = 90
    """Seconds after which it is stopped."""
    tiny: bool = False
    """Also part of the trial with shrunk shapes."""


def train(name: str, base: str, tokens: int, *, tiny: bool = False, limit: float = 90, **changes: Any) -> Row:
    """Training steps of the profile of a base, with changes to its section `train`."""
    settings = {"base": base, "tokens": tokens, "changes": changes}
    return Row(name=name, kind="train", settings=settings, tiny=tiny, limit=limit)


def sample(name: str, base: str, batch_size: int, *, tiny: bool = False, limit: float = 90, compiled: bool) -> Row:
    """Sampling as the profile of a base does, except the batch size."""
    settings = {"base": base, "batch_size": batch_size, "compiled": compiled}
    return Row(name=name, kind="sample", settings=settings, tiny=tiny, limit=limit)


SD3, SD35, LARGE = "sd3-medium", "sd35-medium", "sd35-large"
# 77 tokens of CLIP, and as many of T5 as SimpleTuner takes (77) or our profiles (256).
SHORT, LONG = 154, 333

ROWS = [
    train("train_published", SD3, SHORT, tiny=True, **PUBLISHED),
    sample("sample_4", SD35, 4, tiny=True, compiled=False),
    train("train_default", SD35, LONG),
    train("train_published_blocks", SD3, SHORT, **PUBLISHED, compile="blocks", limit=150),
    train("train_published_checkpointing", SD3, SHORT, **PUBLISHED | {"gradient_checkpointing": True}),
    Row(name="kill_and_resume", kind="kill_and_resume", settings={"base": SD3}, tiny=True, limit=150),
    sample("sample_1", SD35, 1, compiled=False),
    train("train_default_blocks", SD35, LONG, compile="blocks", limit=150),
    sample("sample_4_blocks", SD35, 4, compiled=True, limit=150),
    Row(name="texts", kind="texts", settings={"base": SD3}),
    Row(name="decode_1", kind="decode", settings={"base": SD3, "batch_size": 1}),
    Row(name="decode_4_at_once", kind="decode", settings={"base": SD3, "batch_size": 4}),
    train("train_published_whole", SD3, SHORT, **PUBLISHED, compile="whole", limit=180),
    train(
        "train_default_at_once_blocks",
        SD35,
        LONG,
        micro_batch_size=None,
        gradient_checkpointing=False,
        compile="blocks",
        limit=150,
    ),
    Row(name="two_processes", kind="two_processes", settings={"base": SD3}, limit=150),
    sample("sample_4_sd3", SD3, 4, compiled=False),
    train("train_large", LARGE, LONG, limit=120),
    Row(name="stages", kind="stages", limit=240),
]
