"""The transformer through torch.compile, or a sentence on why not."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import SD3Transformer2DModel


def compile_blocks(transformer: SD3Transformer2DModel) -> None:
    """Have every block compiled when it is first called, and again for shapes that are new to it.

    Block by block: equal blocks share their code, which saves most of the time and memory of compiling.

    Raises:
        ValueError: the transformer is on a CPU, and there is no C++ compiler, or torch lies in a path with a space.
    """
    if transformer.device.type == "cpu":
        _refuse_what_fails()
    for block in transformer.transformer_blocks:
        block.compile()


def _refuse_what_fails() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise ValueError("train.compile needs a C++ compiler on a CPU: install g++, or set it to false") from None
    folder = Path(torch.__file__).parent
    if any(letter.isspace() for letter in str(folder)):
        # torch hands its folder to the compiler without quotes.
        raise ValueError(
            f"train.compile on a CPU needs torch in a path without spaces: move {folder}, or set it to false"
        )
