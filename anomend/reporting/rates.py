"""Anomaly rates prompt by prompt, from the findings on each image."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from anomend.statistics import wilson_interval


@dataclass(frozen=True)
class Rate:
    """A share of images with its 95% Wilson interval; all from 0 to 1."""

    anomalous: int
    n: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        return self.anomalous / self.n


@dataclass(frozen=True)
class PromptRates:
    """One prompt's anomaly rates; None where a set holds no image of it at whose anatomy somebody looked."""

    prompt: str
    group: str
    base: Rate | None
    tuned: Rate | None


def prompt_rates(images_base: pd.DataFrame, images_tuned: pd.DataFrame) -> list[PromptRates]:
    """Rates of every prompt, target prompts first, then in alphabetical order.

    Args:
        images_base, images_tuned: columns prompt, group, anomalous (0, 1, or empty where nobody looked).
    """
    prompts = pd.concat([images_base, images_tuned])[["prompt", "group"]].drop_duplicates("prompt")
    ordered = sorted(
        zip(prompts["prompt"], prompts["group"], strict=True), key=lambda row: (row[1] != "target", row[0])
    )
    return [
        PromptRates(prompt, group, _rate(images_base, prompt), _rate(images_tuned, prompt)) for prompt, group in ordered
    ]


def _rate(images: pd.DataFrame, prompt: str) -> Rate | None:
    anomalous = images.loc[images["prompt"] == prompt, "anomalous"].dropna().astype(int)
    if anomalous.empty:
        return None
    count, n = int(anomalous.sum()), len(anomalous)
    return Rate(count, n, *wilson_interval(count, n))
