"""Evaluations while training: what each one measured, which was best, and when they no longer improve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was measured at one step."""

    anomaly_rate: float | None
    """Share of the sampled images with an anomaly, 0 to 1; None: no detector ran."""
    validation_loss: float | None
    """Flow-matching loss on the fixed draws; None: there are no fixed draws."""
    images: tuple[Image, ...] = ()
    """The samples, in the same order at every evaluation."""
    sampled: int = 0
    """Number of images behind the rate; 0 takes the rate as exact."""
    held_out_rate: float | None = None
    """Share of the further prompts' images with an anomaly; None: there are none, or no detector ran."""
    harmful: bool = False
    """Whether that share is above its limit: such weights are never the best."""


@dataclass
class EvaluationHistory:
    """All evaluations of a run."""

    steps: list[int] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    loss_by_sigma: list[list[float]] = field(default_factory=list)
    """Mean training loss by bin of sigma since the previous evaluation, NaN for a bin without samples."""

    def __len__(self) -> int:
        return len(self.steps)

    def add(self, step: int, evaluation: Evaluation, loss_by_sigma: list[float]) -> bool:
        """Append an evaluation; returns whether it is the best so far."""
        self.steps.append(step)
        self.evaluations.append(evaluation)
        self.loss_by_sigma.append(loss_by_sigma)
        return self.best == len(self) - 1

    @property
    def best(self) -> int | None:
        """Index of the best evaluation; None: no evaluation has an anomaly rate.

        A rate from a few images is noisy, and the lowest of many rates is low partly by luck. So all evaluations within
        one standard error of the lowest rate count as equally good; the one with the lowest validation loss is best,
        and the earliest one of equals.
        """
        rates = [
            (evaluation.anomaly_rate, index)
            for index, evaluation in enumerate(self.evaluations)
            if evaluation.anomaly_rate is not None and not evaluation.harmful
        ]
        if not rates:
            return None
        lowest, place = min(rates)
        limit = lowest + standard_error(lowest, self.evaluations[place].sampled)
        near = [(_or_nan(self.evaluations[index].validation_loss), index) for rate, index in rates if rate <= limit]
        return min(near, key=lambda pair: (np.nan_to_num(pair[0]), pair[1]))[1]

    def no_longer_improves(self, patience: int) -> bool:
        """Whether the last `patience` evaluations were no better than one before them; 0: never."""
        return patience > 0 and self.best is not None and len(self) - 1 - self.best >= patience

    def tensors(self) -> dict[str, torch.Tensor]:
        """The history as named tensors, for a checkpoint."""
        tensors = {}
        for index, (step, evaluation, loss_by_sigma) in enumerate(
            zip(self.steps, self.evaluations, self.loss_by_sigma, strict=True)
        ):
            values = [
                step,
                _or_nan(evaluation.anomaly_rate),
                evaluation.sampled,
                _or_nan(evaluation.validation_loss),
                _or_nan(evaluation.held_out_rate),
                evaluation.harmful,
                *loss_by_sigma,
            ]
            tensors[f"evaluation/{index:05d}/values"] = torch.tensor(values, dtype=torch.float64)
            if evaluation.images:
                tensors[f"evaluation/{index:05d}/images"] = torch.from_numpy(np.stack(evaluation.images))
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> EvaluationHistory:
        """The history that `tensors` wrote; other tensors are ignored."""
        history = cls()
        for name in sorted(name for name in tensors if name.startswith("evaluation/") and name.endswith("/values")):
            step, rate, sampled, loss, held_out, harmful, *loss_by_sigma = tensors[name].tolist()
            images = tensors.get(name.removesuffix("values") + "images")
            evaluation = Evaluation(
                anomaly_rate=_or_none(rate),
                validation_loss=_or_none(loss),
                images=tuple(images.numpy()) if images is not None else (),
                sampled=int(sampled),
                held_out_rate=_or_none(held_out),
                harmful=bool(harmful),
            )
            history.add(int(step), evaluation, loss_by_sigma)
        return history


def standard_error(rate: float, sampled: int) -> float:
    """Standard error of a rate among `sampled` images; 0 for `sampled` = 0.

    One success and one failure are added (Agresti and Coull 1998), so that it is not 0 at a rate of 0.
    """
    shrunk = (rate * sampled + 1) / (sampled + 2)
    return math.sqrt(shrunk * (1 - shrunk) / sampled) if sampled else 0.0


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
