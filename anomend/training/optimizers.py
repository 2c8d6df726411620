"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch

from anomend.diffusion.quantisation import need_bitsandbytes
from anomend.params.training import TrainParams


def make_optimizer(parameters: Sequence[torch.nn.Parameter], settings: TrainParams) -> torch.optim.Optimizer:
    """The optimizer that the parameters select.

    Raises:
        ValueError: it needs a package or a GPU that is missing.
    """
    options: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, fused=True, **options)
    if settings.optimizer == "adamw_8bit":
        need_bitsandbytes("train.optimizer = 'adamw_8bit'", "adamw")
        from bitsandbytes.optim import AdamW8bit

        eight_bit: torch.optim.Optimizer = AdamW8bit(parameters, **options)
        return eight_bit
    if find_spec("prodigyopt") is None:
        raise ValueError("train.optimizer = 'prodigy' needs the package prodigyopt: pip install prodigyopt")
    from prodigyopt import Prodigy

    # Its authors advise bias correction and safeguarded warm-up for diffusion models.
    prodigy: torch.optim.Optimizer = Prodigy(parameters, use_bias_correction=True, safeguard_warmup=True, **options)
    return prodigy
