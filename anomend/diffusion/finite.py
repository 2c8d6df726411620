"""Values that are not finite (NaN or infinite) are refused where they arise, before anything is written."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

FIX = "set base.dtype to float32 or bfloat16; if it is so already, get the weights of the base and of the LoRA again"
"""For what a model computed: float16 ends at 65504; otherwise a weight is not finite itself."""


def check_finite(values: torch.Tensor | NDArray[Any], what: str, fix: str = FIX) -> None:
    """Refuse values of which one is NaN or infinite.

    Args:
        values: of any shape and dtype, on any device; check one image at a time, so that the sentence can name it.
        what: the values, as the sentence's subject in the singular, with all that the user needs to find them, such as
            "the image of 'lying on the grass' with seed 20003", "the latent of data/instance/0001.png" or "the LoRA's
            weight transformer_blocks.0.attn.to_q.lora_B".
        fix: what to do, as an imperative.

    Raises:
        ValueError: "<what> is not finite (NaN or infinite in 3 of 16384 values): <fix>".
    """
    tensor = torch.as_tensor(values)
    if tensor.is_floating_point() and tensor.element_size() == 1:
        tensor = tensor.float()  # torch has no isfinite for 8-bit floats.
    finite = torch.isfinite(tensor)
    if not bool(finite.all()):
        bad = int(finite.numel() - finite.sum())
        raise ValueError(f"{what} is not finite (NaN or infinite in {bad} of {finite.numel()} values): {fix}")
