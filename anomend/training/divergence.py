"""A training that cannot go on: what is not finite (NaN or infinite), at which step, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

import torch

from anomend.diffusion.finite import check_finite
from anomend.diffusion.sharding import local

FIX = "lower train.learning_rate, or set base.dtype=bfloat16"
BASE_FIX = "the base is damaged: get its weights again, or set base.local_folder to another copy"


def refuse_loss(transformer: torch.nn.Module, what: str) -> NoReturn:
    """Refuse a loss that is not finite, and name the weight that made it so, if one did.

    Args:
        transformer: the model in training.
        what: the beginning of the sentence, such as "the loss is nan at step 1".

    Raises:
        ValueError: always.
    """
    frozen, trained = (
        _first_bad((name, value) for name, value in transformer.named_parameters() if value.requires_grad is training)
        for training in (False, True)
    )
    if frozen:
        raise ValueError(f"{what}: the base's weight {frozen} is not finite; {BASE_FIX}")
    raise ValueError(f"{what}: {FIX}" + (f" ({trained} is not finite)" if trained else ""))


def refuse_gradient(transformer: torch.nn.Module, what: str) -> NoReturn:
    """Refuse gradients that are not finite, and name the first module that has one.

    Args:
        transformer: the model in training, with its gradients.
        what: the beginning of the sentence, such as "the gradient's norm is nan at step 1".

    Raises:
        ValueError: always.
    """
    where = _first_bad((name, value.grad) for name, value in transformer.named_parameters() if value.grad is not None)
    raise ValueError(what + (f", first in {where}" if where else "") + f": {FIX}")


def check_weights(tensors: Mapping[str, torch.Tensor], step: int) -> None:
    """Refuse to save weights that are not finite.

    Args:
        tensors: weights by name.
        step: optimizer steps done.

    Raises:
        ValueError: one of them is not finite.
    """
    for name, value in tensors.items():
        check_finite(value, f"the LoRA ({name}) after step {step}", FIX)


def _first_bad(values: Iterable[tuple[str, torch.Tensor]]) -> str | None:
    """Name of the first tensor with a value that is not finite, without what peft puts into names."""
    for name, value in values:
        part = local(value)
        if part.is_floating_point() and not bool(torch.isfinite(part).all()):
            return name.replace(".base_layer", "").replace(".default", "")
    return None
