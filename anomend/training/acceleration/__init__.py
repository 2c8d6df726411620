"""Faster training steps: trained parameters in one tensor, and the transformer compiled where `train.compile` asks.

The trainer calls `accelerate_steps`, and runs its loop in `garbage.frozen_heap`. A way of compiling is imported only
where it is chosen.
"""

from __future__ import annotations

from typing import Literal

import torch
from accelerate import Accelerator
from diffusers import ModelMixin
from torch.distributed.tensor import DTensor

from anomend.families.table import family_of
from anomend.training.acceleration.flat_parameters import flatten

Compilation = Literal["none", "blocks", "whole"]


def accelerate_steps(
    transformer: ModelMixin, accelerator: Accelerator, compilation: Compilation
) -> tuple[torch.nn.Module, list[torch.nn.Parameter]]:
    """What a training step calls, and what it trains.

    Args:
        transformer: with its adapter; it stays the model that is saved, and shares its parameters with the result.
        accelerator: the processes that train it together.
        compilation: `train.compile`.

    Returns:
        The model to call, and the parameters to train: shards, or a single flat tensor of all trained parameters.
        Gradients of the flat tensor must be zeroed and never be set to None.

    Raises:
        ValueError: compiling cannot work on this machine, or `whole` is chosen for several processes.
    """
    if accelerator.num_processes > 1 and compilation == "whole":
        raise ValueError("train.compile = whole is for one process: set it to blocks, or train.launcher to []")
    if compilation == "whole":
        family_of(transformer).refuse_one_graph()
    if compilation == "blocks":
        from anomend.training.acceleration.blocks import compile_blocks

        compile_blocks(transformer)
    model: torch.nn.Module = accelerator.prepare(transformer) if accelerator.num_processes > 1 else transformer
    # Sharding replaces parameters: they are taken from the prepared model.
    parameters = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
    if not any(isinstance(parameter, DTensor) for parameter in parameters):
        parameters = [flatten(parameters)]
    if compilation == "whole":
        from anomend.training.acceleration.whole import CapturedTransformer

        model = CapturedTransformer(transformer, parameters[0])
    return model, parameters
