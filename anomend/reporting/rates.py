"""Anomaly rates prompt by prompt, as they were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomend.measuring.rates import read_rates
from anomend.statistics.rate import Rate

ORDER = ("target", "held_out", "siblings")
"""Groups of prompts, in which a reader meets them."""


@dataclass(frozen=True)
class PromptRates:
    """One prompt's anomaly rates; None where no detector ran, or a model drew no image of the prompt."""

    prompt: str
    group: str
    base: Rate | None
    tuned: Rate | None


def prompt_rates(measure_base: Mapping[str, Any], measure_tuned: Mapping[str, Any]) -> list[PromptRates]:
    """Rates of every prompt: target prompts, held-out prompts, siblings, each in alphabetical order.

    Args:
        measure_base: content of metrics/measure_base.json.
        measure_tuned: content of metrics/measure_tuned.json.

    Raises:
        ValueError: a file was written before rates had intervals.
    """
    base, tuned = (
        {rate.name: rate for rate in read_rates(measured) if rate.scope == "prompt"}
        for measured in (measure_base, measure_tuned)
    )
    groups = {name: rate.group for name, rate in (tuned | base).items()}
    return [
        PromptRates(
            prompt,
            groups[prompt],
            base=base[prompt].rate if prompt in base else None,
            tuned=tuned[prompt].rate if prompt in tuned else None,
        )
        for prompt in sorted(groups, key=lambda name: (ORDER.index(groups[name]), name))
    ]
