"""The transformer through torch.compile, or a sentence on why not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import SD3Transformer2DModel

_MAKE = frozenset(
    [
        "BUILTIN_MATCH",
        "CLASS_MATCH",
        "CLOSURE_MATCH",
        "DICT_KEYS_MATCH",
        "DICT_NOT_CONTAINS",
        "DUPLICATE_INPUT",
        "EMPTY_NN_MODULE_HOOKS_DICT",
        "HASATTR",
        "MODULE_MATCH",
        "NOT_PRESENT_IN_GENERIC_DICT",
        "TYPE_MATCH",
    ]
)
"""Guards on what a block is made of: its modules' types, attributes and hooks, and the functions that they call."""


def compile_blocks(transformer: SD3Transformer2DModel) -> None:
    """Have every block compiled when it is first called, and again for shapes that are new to it.

    Block by block: equal blocks share their code, which saves most of the time and memory of compiling. What a block is
    made of does not change once it has been called, and is not looked at again; shapes and values are, such as whether
    it trains and whether its adapters are on.

    Raises:
        ValueError: the transformer is on a CPU, and there is no C++ compiler, or torch lies in a path with a space.
    """
    options: dict[str, Any] = {"guard_filter_fn": _guards_to_keep}
    if transformer.device.type == "cpu":
        _refuse_what_fails()
        # Small kernels are called from C++; from Python, the calls cost as much as the work.
        options["cpp_wrapper"] = True
    for block in transformer.transformer_blocks:
        block.compile(options=options)


def _guards_to_keep(guards: Sequence[Any]) -> list[bool]:
    return [guard.guard_type not in _MAKE for guard in guards]


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
