"""The transformer's blocks through torch.compile, or a sentence on why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import torch
from diffusers import SD3Transformer2DModel

Kind = tuple[object, ...]
"""Equal for blocks that are made of equal parts."""

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
"""Guards on what a transformer is made of: its modules' types, attributes and hooks, and the functions they call."""


def compile_blocks(transformer: SD3Transformer2DModel) -> None:
    """Have each block compiled when it is first called, and again for shapes that are new to it.

    Blocks of one kind share their code, which saves most of the time and memory of compiling. What a transformer is
    made of must not change from then on, and is not looked at again; what changes from call to call is, such as shapes,
    whether it trains, and whether its adapters are on.

    Args:
        transformer: with its adapter.

    Raises:
        ValueError: as `refuse_what_fails`.
    """
    refuse_what_fails(transformer.device)
    forwards: dict[Kind, FunctionType] = {}
    for block in transformer.transformer_blocks:
        forward = forwards.setdefault(_kind(block), _own_code(type(block).forward, f"kind_{len(forwards)}"))
        block.forward = MethodType(forward, block)
        block.compile(options=compile_options(transformer.device, _guards_to_keep))


def compile_options(device: torch.device, keep: Callable[[Sequence[Any]], list[bool]]) -> dict[str, Any]:
    """Options for torch.compile; a new dictionary each time, since torch.compile takes entries out of it.

    Args:
        device: where the transformer is.
        keep: tells of torch's guards, which are checked at each call, which ones to keep.
    """
    # From Python, calling small kernels on a CPU costs as much as their work.
    return {"guard_filter_fn": keep, **({"cpp_wrapper": True} if device.type == "cpu" else {})}


def refuse_what_fails(device: torch.device) -> None:
    """End before any work where compiling would fail.

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
        # torch hands its folder to the compiler without quotes.
        raise ValueError(
            f"train.compile on a CPU needs torch in a path without spaces: move {folder}, or set it to none"
        )


def _kind(block: torch.nn.Module) -> Kind:
    modules = tuple((name, type(module)) for name, module in block.named_modules())
    parameters = tuple(
        (name, value.shape, value.dtype, value.requires_grad) for name, value in block.named_parameters()
    )
    return modules, parameters


def _own_code(function: FunctionType, name: str) -> FunctionType:
    """The same function under a name of its own: torch looks up what it has compiled by the function's code."""
    code = function.__code__.replace(co_name=f"{function.__name__}_{name}")
    copied = FunctionType(code, function.__globals__, code.co_name, function.__defaults__, function.__closure__)
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


def _guards_to_keep(guards: Sequence[Any]) -> list[bool]:
    return [guard.guard_type not in _MAKE and not isinstance(guard.value, torch.nn.Parameter) for guard in guards]
