"""What both ways of compiling share: the options for torch.compile, and the check that it can work here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch


def compile_options(device: torch.device, keep: Callable[[Sequence[Any]], list[bool]]) -> dict[str, Any]:
    """Options for torch.compile; a new dictionary each time, because torch.compile takes entries out of it.

    Args:
        device: where the transformer is.
        keep: maps torch's guards, the conditions that it checks at each call, to whether each one stays.
    """
    # Calling small kernels from Python costs as much as their work on a CPU; the C++ wrapper calls them directly.
    return {"guard_filter_fn": keep, **({"cpp_wrapper": True} if device.type == "cpu" else {})}


def check_compiler(device: torch.device) -> None:
    """Refuse before any work where compiling would fail.

    Raises:
        ValueError: a GPU without Triton; a CPU without a C++ compiler, or with torch in a path with a space.
    """
    if device.type != "cpu":
        from torch.utils._triton import has_triton

        if device.type == "cuda" and not has_triton():
            raise ValueError("train.compile needs Triton on a GPU: install triton, or set it to none")
        return
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise ValueError("train.compile needs a C++ compiler on a CPU: install g++, or set it to none") from None
    folder = Path(torch.__file__).parent
    if any(letter.isspace() for letter in str(folder)):
        # torch passes its folder to the compiler without quotes.
        raise ValueError(
            f"train.compile on a CPU needs torch in a path without spaces: move {folder}, or set it to none"
        )
