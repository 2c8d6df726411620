"""Optimizers by name, and the frozen base in fewer bits."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch

from anomend.params.training import TrainParams


def make_optimizer(parameters: Sequence[torch.nn.Parameter], settings: TrainParams) -> torch.optim.Optimizer:
    """The optimizer that the parameters name.

    Raises:
        ValueError: it needs a package or a GPU that is not here.
    """
    choice: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, fused=True, **choice)
    if settings.optimizer == "adamw_8bit":
        need_bitsandbytes("train.optimizer = 'adamw_8bit'", "adamw")
        from bitsandbytes.optim import AdamW8bit

        eight_bit: torch.optim.Optimizer = AdamW8bit(parameters, **choice)
        return eight_bit
    if find_spec("prodigyopt") is None:
        raise ValueError("train.optimizer = 'prodigy' needs the package prodigyopt: pip install prodigyopt")
    from prodigyopt import Prodigy

    # Bias correction and safeguarded warm-up are what its authors advise for diffusion models.
    prodigy: torch.optim.Optimizer = Prodigy(parameters, use_bias_correction=True, safeguard_warmup=True, **choice)
    return prodigy


def need_bitsandbytes(what: str, instead: str) -> None:
    """Refuse what runs on a CUDA GPU with bitsandbytes alone.

    Args:
        what: the parameter and its value.
        instead: the value to choose where there is no GPU.

    Raises:
        ValueError: no GPU, or no bitsandbytes.
    """
    if not torch.cuda.is_available():
        raise ValueError(f"{what} needs a CUDA GPU, and torch sees none here: choose {instead}")
    if find_spec("bitsandbytes") is None:
        raise ValueError(f"{what} needs the package bitsandbytes: pip install 'anomend[gpu]', or choose {instead}")
