"""`train.compile: whole`: the transformer with its LoRA as one compiled graph, for the steps of one process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import ModelMixin
from peft.tuners.tuners_utils import BaseTunerLayer
from torch.export import ExportedProgram
from torch.func import functional_call

from anomend.training.acceleration.compiler import check_compiler, compile_options

Graph = Callable[..., tuple[torch.Tensor, ...]]


class CapturedTransformer(torch.nn.Module):
    """Calls a transformer through graphs that torch.export captured, one for each kind of call.

    A graph takes the LoRA as one tensor and returns one gradient for it. It neither runs nor checks the model's Python
    code, which saves more than a tenth of a step on a small batch. Results are those of torch.compile on the
    transformer itself.

    Calls of one kind agree in the inputs' names, shapes, strides, dtypes and devices, in whether gradients are needed,
    in whether the transformer trains, and in whether its adapters are on. The LoRA's values may change between calls.
    The base's modules, the memory of its weights, and the LoRA's scale must not change after the first call; this is
    not checked.
    """

    def __init__(self, transformer: ModelMixin, flat: torch.nn.Parameter) -> None:
        """
        Args:
            transformer: with its adapter, whose parameters are the parts of `flat`.
            flat: all trained parameters in the model's order, from `flat_parameters.flatten`.

        Raises:
            ValueError: as `check_compiler`.
        """
        super().__init__()
        check_compiler(transformer.device)
        self.transformer, self.flat = transformer, flat
        # Created now, because parameters of an adapter that is off do not count as trained.
        self._of_flat = _OfFlat(transformer)
        self._any_adapter = next(module for module in transformer.modules() if isinstance(module, BaseTunerLayer))
        self._graphs: dict[tuple[object, ...], tuple[Graph, list[torch.Tensor]]] = {}

    def forward(self, **inputs: Any) -> tuple[torch.Tensor, ...]:
        """As the transformer's own `forward`, with `return_dict=False` among the inputs.

        Raises:
            ValueError: torch.export cannot capture this transformer.
        """
        kind = (
            self._any_adapter.disable_adapters,
            self.transformer.training,
            torch.is_grad_enabled(),
            *((name, _form(value)) for name, value in inputs.items()),
        )
        if kind not in self._graphs:
            self._graphs[kind] = self._capture(inputs)
        graph, frozen = self._graphs[kind]
        return graph(*frozen, self.flat, *inputs.values())

    def _capture(self, inputs: dict[str, Any]) -> tuple[Graph, list[torch.Tensor]]:
        """A graph for inputs of this kind, and the frozen tensors that it takes before the trained one."""
        try:
            program = torch.export.export(self._of_flat, (self.flat, inputs), strict=False)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise ValueError(
                f"train.compile = whole cannot capture this base ({reason}): set it to blocks or none"
            ) from error
        # All guards are dropped: `forward` picks the graph by the kind of call, which covers all that it depends on.
        options = compile_options(self.flat.device, lambda guards: [False] * len(guards))
        # `forward` and not the module: calling the module would turn errors, such as a lack of memory, into dynamo's.
        return torch.compile(program.graph_module.forward, options=options, fullgraph=True), _frozen_inputs(program)


class _OfFlat(torch.nn.Module):
    """The transformer as a function of one tensor with all trained parameters."""

    def __init__(self, transformer: ModelMixin) -> None:
        super().__init__()
        self.transformer = transformer
        self._shapes = {name: value.shape for name, value in transformer.named_parameters() if value.requires_grad}

    def forward(self, flat: torch.Tensor, inputs: dict[str, Any]) -> tuple[torch.Tensor, ...]:
        parts = flat.split([shape.numel() for shape in self._shapes.values()])
        views = {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}
        velocity: tuple[torch.Tensor, ...] = functional_call(self.transformer, views, kwargs=inputs)
        return velocity


def _form(value: Any) -> object:
    if isinstance(value, torch.Tensor):
        return value.shape, value.stride(), value.dtype, value.device
    return value


def _frozen_inputs(program: ExportedProgram) -> list[torch.Tensor]:
    """The module's parameters and buffers that a captured graph takes, in its order; they are not copied."""
    tensors: dict[str, torch.Tensor] = {**program.state_dict, **program.constants}
    targets = [spec.target for spec in program.graph_signature.input_specs if spec.target is not None]
    return [tensors[target].detach() for target in targets]
