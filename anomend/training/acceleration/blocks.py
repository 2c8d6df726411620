"""`train.compile: blocks`: each block of the transformer through torch.compile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any

import torch
from diffusers import ModelMixin

from anomend.families.table import family_of
from anomend.training.acceleration.compiler import check_compiler, compile_options

Kind = tuple[object, ...]
"""Equal for blocks that consist of equal parts."""

_FIXED = frozenset(
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
"""Guards on the modules' types, attributes and hooks and on the functions they call, which training does not change."""


def compile_blocks(transformer: ModelMixin) -> None:
    """Have each block compiled when it is first called, and again for shapes that are new to it.

    Blocks of one kind share their compiled code, which saves most of the time and memory of compiling. The modules of
    the transformer must not change afterwards: torch does not check them again. It does check what changes between
    calls: shapes, training or evaluation, and whether the adapters are on.

    Args:
        transformer: with its adapter.

    Raises:
        ValueError: as `check_compiler`.
    """
    check_compiler(transformer.device)
    forwards: dict[Kind, Callable[..., Any]] = {}
    for block in blocks_of(transformer):
        kind = _kind(block)
        if kind not in forwards:
            # A copy: torch keeps compiled code by the function's code object, and without guards on modules it could
            # not tell the code of two kinds apart.
            forwards[kind] = torch.compile(
                _copy(type(block).forward), options=compile_options(transformer.device, _guards_to_keep)
            )
        block.forward = MethodType(forwards[kind], block)


def blocks_of(transformer: ModelMixin) -> list[torch.nn.Module]:
    """The transformer's blocks, of all its lists."""
    return [block for name in family_of(transformer).block_lists for block in transformer.get_submodule(name)]


def _kind(block: torch.nn.Module) -> Kind:
    modules = tuple((name, type(module)) for name, module in block.named_modules())
    parameters = tuple(
        (name, value.shape, value.dtype, value.requires_grad) for name, value in block.named_parameters()
    )
    return modules, parameters


def _copy(function: Any) -> Callable[..., Any]:
    """The same function with a code object of its own."""
    copy = FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _guards_to_keep(guards: Sequence[Any]) -> list[bool]:
    return [guard.guard_type not in _FIXED and not isinstance(guard.value, torch.nn.Parameter) for guard in guards]
