"""The trained parameters with their moving average, and the best weights of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

from anomend.diffusion.sharding import gathered, sharded_like


class TrainedWeights:
    """Parameters in training, their moving average, a copy of those of the best evaluation, and the old ones that draw
    the images of a round, where training is by rounds.

    The weights that a run saves are the averages where `ema_decay` is above 0, and the parameters where it is 0.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter], ema_decay: float, *, with_old: bool = False) -> None:
        """
        Args:
            parameters: what the optimizer changes; whole tensors or shards.
            ema_decay: decay of the moving average per step, from 0 up to 1.
            with_old: keep old weights, the parameters as they are now at first.
        """
        self.parameters, self.ema_decay = list(parameters), ema_decay
        self.average = [parameter.detach().clone() for parameter in parameters]
        self.best = [parameter.detach().clone() for parameter in parameters]
        self.old = [parameter.detach().clone() for parameter in parameters] if with_old else []

    @torch.no_grad()
    def update_average(self, step: int) -> None:
        """Take in the parameters after a step, counted from 0; early steps count for more."""
        decay = min(self.ema_decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.average, [parameter.detach() for parameter in self.parameters], 1 - decay)

    @torch.no_grad()
    def update_old(self, decay: float) -> None:
        """Let the old weights follow: old <- decay * old + (1 - decay) * parameters."""
        torch._foreach_lerp_(self.old, [parameter.detach() for parameter in self.parameters], 1 - decay)

    @contextmanager
    def as_saved(self) -> Iterator[None]:
        """Inside, the model has the weights that would be saved now."""
        with self._as(self.average if self.ema_decay > 0 else []):
            yield

    @contextmanager
    def as_old(self) -> Iterator[None]:
        """Inside, the model has the old weights."""
        with self._as(self.old):
            yield

    @contextmanager
    def _as(self, values: Sequence[torch.Tensor]) -> Iterator[None]:
        """Inside, the model has other weights; none: its own."""
        if not values:
            yield
            return
        trained = [parameter.detach().clone() for parameter in self.parameters]
        self._set(values)
        try:
            yield
        finally:
            self._set(trained)

    def remember_best(self) -> None:
        """Copy the weights that would be saved now."""
        source = self.average if self.ema_decay > 0 else self.parameters
        self.best = [value.detach().clone() for value in source]

    def use_best(self) -> None:
        """Put the best weights into the model."""
        self._set(self.best)

    def use_average(self) -> None:
        """Put the average into the model, unless there is none (`ema_decay` is 0)."""
        if self.ema_decay > 0:
            self._set(self.average)

    def tensors(self) -> dict[str, torch.Tensor]:
        """All of them as named whole tensors, for a checkpoint; every process must call this."""
        groups: dict[str, Sequence[torch.Tensor]] = {
            "lora": self.parameters,
            "average": self.average,
            "best": self.best,
            "old": self.old,
        }
        return {
            f"{name}/{index}": gathered(value.detach())
            for name, values in groups.items()
            for index, value in enumerate(values)
        }

    def fit(self, tensors: Mapping[str, torch.Tensor]) -> bool:
        """Whether `tensors` returned these, of the same parameters: sharded ones are not joined into one tensor."""
        shapes = {f"lora/{index}": parameter.shape for index, parameter in enumerate(self.parameters)}
        return shapes == {name: value.shape for name, value in tensors.items() if name.startswith("lora/")}

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what `tensors` returned; other tensors are ignored."""
        self._set([tensors[f"lora/{index}"] for index in range(len(self.parameters))])
        for name, values in (("average", self.average), ("best", self.best), ("old", self.old)):
            for index, value in enumerate(values):
                value.copy_(sharded_like(tensors[f"{name}/{index}"], value))

    def shard_optimizer_tensors(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The optimizer's tensors, by their names in a checkpoint, sharded like the parameters they belong to."""
        return {name: self._shard(name, value) for name, value in tensors.items() if name.startswith("optimizer/")}

    def _shard(self, name: str, value: torch.Tensor) -> torch.Tensor:
        index = name.split("/")[1]
        if index.isdigit() and self.parameters[int(index)].shape == value.shape:
            return sharded_like(value, self.parameters[int(index)])
        return value

    def _set(self, values: Sequence[torch.Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.data.copy_(sharded_like(value, parameter))
