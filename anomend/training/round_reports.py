"""What each round of training by rewards drew: how many images were anomalous, and how diverse the right ones are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from anomend.training.negative_aware import spread

MIN_RIGHT = 4
"""Right images of a prompt from which on their diversity is measured."""


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """One round."""

    step: int
    """Optimizer steps done before it."""
    images: int
    anomalous: float
    """How many images are wrong; not whole where people disagree about some."""
    second_anomalous: int | None = None
    """How many are wrong by a second detector; None: there is none."""
    spreads: tuple[float, ...]
    """By prompt, how far its right images are from one another (`negative_aware.spread`); NaN where there are too
    few."""

    @property
    def anomaly_rate(self) -> float:
        """Share of the images that are anomalous, 0 to 1."""
        return self.anomalous / self.images

    @property
    def second_anomaly_rate(self) -> float | None:
        """The same by the second detector."""
        return None if self.second_anomalous is None else self.second_anomalous / self.images


def round_report(
    latents: torch.Tensor,
    rewards: torch.Tensor,
    prompts: Sequence[str],
    *,
    step: int,
    first: bool,
    second_anomalous: int | None = None,
) -> RoundReport:
    """The report of a round's images.

    Args:
        latents: (N, ...).
        rewards: (N,), 1 for a right image and 0 for a wrong one; above 1/2 counts as right.
        prompts: the prompt of each image.
        step: optimizer steps done.
        first: whether it is the first round, which later ones are compared with: a prompt with too few right images
            then takes all its images.
        second_anomalous: images that a second detector finds anomalous; None: there is none.
    """
    spreads = []
    for prompt in dict.fromkeys(prompts):
        of_prompt = torch.tensor([each == prompt for each in prompts])
        right = of_prompt & (rewards > 0.5)
        chosen = right if int(right.sum()) >= MIN_RIGHT else of_prompt if first else None
        value = None if chosen is None else spread(latents[chosen])
        spreads.append(math.nan if value is None else value)
    wrong = float(len(rewards) - rewards.double().sum())
    return RoundReport(
        step=step,
        images=len(prompts),
        anomalous=wrong,
        second_anomalous=second_anomalous,
        spreads=tuple(spreads),
    )


def diversity(rounds: Sequence[RoundReport]) -> float | None:
    """Diversity of the last round's right images over that of the first round's, mean over the prompts that have both.

    The first round's images are the base's own. None where no prompt has enough right images.
    """
    pairs = zip(rounds[-1].spreads, rounds[0].spreads, strict=True)
    ratios = [last / first for last, first in pairs if first > 0 and not math.isnan(last)]
    return sum(ratios) / len(ratios) if ratios else None


def detector_gap(rounds: Sequence[RoundReport]) -> float | None:
    """The share of the first round's anomaly rate that is left in the last one, by the second detector, less that by
    the rewards: 0 where both see the same fall, however strict each is.

    Where training finds what the detector that rewards does not see, this grows: the rewards say that the anomalies are
    going, and the second detector does not. None where there is none, or one of them finds no anomaly in the first
    round.
    """
    first, last = rounds[0], rounds[-1]
    if not first.second_anomaly_rate or last.second_anomaly_rate is None or not first.anomaly_rate:
        return None
    return last.second_anomaly_rate / first.second_anomaly_rate - last.anomaly_rate / first.anomaly_rate


def tensors_of(rounds: Sequence[RoundReport]) -> dict[str, torch.Tensor]:
    """The reports as named tensors, for a checkpoint; empty without any."""
    if not rounds:
        return {}
    rows = [
        [
            each.step,
            each.images,
            each.anomalous,
            math.nan if each.second_anomalous is None else each.second_anomalous,
            *each.spreads,
        ]
        for each in rounds
    ]
    return {"rounds": torch.tensor(rows, dtype=torch.float64)}


def from_tensors(tensors: Mapping[str, torch.Tensor]) -> list[RoundReport]:
    """The reports that `tensors_of` wrote; other tensors are ignored."""
    rows = tensors["rounds"].tolist() if "rounds" in tensors else []
    return [
        RoundReport(
            step=int(step),
            images=int(images),
            anomalous=anomalous,
            second_anomalous=None if math.isnan(second) else int(second),
            spreads=tuple(spreads),
        )
        for step, images, anomalous, second, *spreads in rows
    ]
