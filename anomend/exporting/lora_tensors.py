"""The tensors of a LoRA file, of this project or of another program, for the transformer alone."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tqdm import tqdm

TEXT_ENCODER = re.compile(
    r"lora_te\d*_|text_encoders?[._]|text_encoder_\d[._]|(lora_)?(clip_[lg]|t5(xxl)?)[._]|te\d?[._]"
    r"|text_model[._]|cond_stage_model\.|conditioner\."
)
"""How the keys of a text encoder begin: kohya's, diffusers', ComfyUI's and the original code's."""


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a LoRA file by key; keys of text encoders are left out, and their number is printed.

    8-bit floats become float32, which holds each of their values: torch cannot compute with them.

    Raises:
        ValueError: the file is not a safetensors file, is in fewer than 8 bits, or has nothing for the transformer.
    """
    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{file} cannot be read: name a .safetensors file with a LoRA ({error})") from None
    kept = {key: computable(value, key, file) for key, value in weights.items() if not TEXT_ENCODER.match(key)}
    if left_out := len(weights) - len(kept):
        tqdm.write(
            f"{file}: {left_out} of {len(weights)} tensors are for text encoders, which are not trained here, and are "
            "left out",
            file=sys.stderr,
        )
    if not kept:
        what = "only tensors for text encoders" if weights else "no tensors"
        raise ValueError(f"{file} has {what}: name a file with a LoRA for the transformer")
    return kept


def computable(value: torch.Tensor, key: str, file: Path) -> torch.Tensor:
    """A tensor in a type that torch can compute with.

    Raises:
        ValueError: it is in fewer than 8 bits.
    """
    if not value.is_floating_point() or value.element_size() > 1:
        return value
    try:
        return value.float()
    except NotImplementedError:
        raise ValueError(
            f"{file}: {key} is quantised ({value.dtype}): get the LoRA in float32, float16 or bfloat16"
        ) from None
