"""The transformer with its LoRA as one compiled graph, for the steps of one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers import SD3Transformer2DModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch.export import ExportedProgram
from torch.func import functional_call

from stages.diffusion.compiling import compile_options, refuse_what_fails

Graph = Callable[..., tuple[torch.Tensor, ...]]


class CapturedTransformer(torch.nn.Module):
    """Calls a transformer through graphs that torch.export captured, one for each kind of call.

    A graph takes the LoRA as one tensor and gives one gradient for it, and no Python of the model is run or checked
    when it is called: on a small batch that is a fifth of the step. The arithmetic is that of the transformer compiled
    as it is.

    What the base is made of, and where its weights lie, must not change after the first call; the LoRA's values may,
    and so may, at the price of another graph, the inputs' shapes, whether gradients are wanted, and whether the
    adapters are on.
    """

    def __init__(self, transformer: SD3Transformer2DModel, flat: torch.nn.Parameter) -> None:
        """
        Args:
            transformer: with its adapter, whose parameters are the parts of `flat`.
            flat: all trained parameters in the model's order, of `flat_parameters.flatten`.

        Raises:
            ValueError: as `compiling.refuse_what_fails`.
        """
        super().__init__()
        refuse_what_fails(transformer.device)
        self.transformer, self.flat = transformer, flat
        # Named now: an adapter that is off does not count as trained.
        self._of_flat = _OfFlat(transformer)
        self._adapter = next(module for module in transformer.modules() if isinstance(module, BaseTunerLayer))
        self._graphs: dict[tuple[object, ...], tuple[Graph, list[torch.Tensor]]] = {}

    def forward(self, **inputs: Any) -> tuple[torch.Tensor, ...]:
        """As the transformer's own, with `return_dict=False` among the inputs."""
        kind = (
            self._adapter.disable_adapters,
            torch.is_grad_enabled(),
            *((name, value.shape if isinstance(value, torch.Tensor) else value) for name, value in inputs.items()),
        )
        if kind not in self._graphs:
            self._graphs[kind] = self._capture(inputs)
        graph, frozen = self._graphs[kind]
        return graph(*frozen, self.flat, *inputs.values())

    def _capture(self, inputs: dict[str, Any]) -> tuple[Graph, list[torch.Tensor]]:
        """A graph for such inputs, and the tensors that it takes before the trained ones."""
        program = torch.export.export(self._of_flat, (self.flat, inputs), strict=False)
        # Nothing is left to guard: a graph is called for its own kind of inputs alone.
        options = compile_options(self.flat.device, lambda guards: [False] * len(guards))
        return torch.compile(program.graph_module, options=options, fullgraph=True), _held(program)


class _OfFlat(torch.nn.Module):
    """The transformer as a function of its trained parameters in one tensor."""

    def __init__(self, transformer: SD3Transformer2DModel) -> None:
        super().__init__()
        self.transformer = transformer
        self._shapes = {name: value.shape for name, value in transformer.named_parameters() if value.requires_grad}

    def forward(self, flat: torch.Tensor, inputs: dict[str, Any]) -> tuple[torch.Tensor, ...]:
        parts = flat.split([shape.numel() for shape in self._shapes.values()])
        views = {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}
        velocity: tuple[torch.Tensor, ...] = functional_call(self.transformer, views, kwargs=inputs)
        return velocity


def _held(program: ExportedProgram) -> list[torch.Tensor]:
    """The module's parameters and buffers that a captured graph takes, in its order; they are not copied."""
    tensors: dict[str, torch.Tensor] = {**program.state_dict, **program.constants}
    targets: Sequence[str] = [spec.target for spec in program.graph_signature.input_specs if spec.target is not None]
    return [tensors[target].detach() for target in targets]
