"""The gradients of one optimizer step: over all processes, in parts that fit into memory, clipped, and finite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from accelerate import Accelerator
from diffusers import ModelMixin

from anomend.diffusion.sharding import gathered
from anomend.families.table import family_of
from anomend.params.training import TrainParams
from anomend.training.data import Batch, TrainingData, Unit, make_batch
from anomend.training.divergence import refuse_gradient, refuse_loss
from anomend.training.flow_matching import FlowMatching
from anomend.training.loss_scaling import LossScaling
from anomend.training.objectives import StepSums, logged_names, predict_velocity, step_sums
from anomend.training.weights import TrainedWeights


class Gradients:
    """Computes the gradients of the trained weights."""

    def __init__(
        self,
        model: torch.nn.Module,
        transformer: ModelMixin,
        *,
        dtype: torch.dtype,
        settings: TrainParams,
        flow: FlowMatching,
        weights: TrainedWeights,
        optimizer: torch.optim.Optimizer,
        scaling: LossScaling,
        accelerator: Accelerator,
    ) -> None:
        """
        Args:
            model: what is called in a step: the transformer as the accelerator and the compiler have wrapped it.
            transformer: the same, unwrapped.
            dtype: the base's, in which the model computes; the trained weights may have another.
            settings: the recipe.
            flow: noise levels and interpolation.
            weights: the trained weights, and the old ones of training by rewards.
            optimizer: its gradients are unscaled in place.
            scaling: of the loss in float16.
            accelerator: the processes.
        """
        self.model, self.transformer, self.dtype = model, transformer, dtype
        self.family = family_of(transformer)
        self.settings, self.flow = settings, flow
        self.weights, self.optimizer, self.scaling, self.accelerator = weights, optimizer, scaling, accelerator

    def finite(self, units: list[Unit], data: TrainingData, step: int) -> tuple[torch.Tensor, float]:
        """Clipped gradients of a step, in the parameters' `grad`.

        Args:
            units: what the step is made of, over all processes.
            data: what they are taken from.
            step: the step's number, from 0.

        Returns:
            The step's logged means and, flattened, its losses by sigma, and the gradient's norm.

        Raises:
            ValueError: a loss is not finite, or the gradient is not, whatever the scaling.
        """
        names = logged_names(self.settings)
        while True:
            sums = self.backward(units, data, step)
            shares = torch.cat([torch.stack([sums.logged[name] for name in names]), sums.bins.flatten()])
            shared = self.accelerator.reduce(shares, "sum").cpu()
            for name, value in zip(names, shared.tolist(), strict=False):
                if not math.isfinite(value):
                    refuse_loss(self.transformer, f"the {name.replace('_', ' ')} is {value} at step {step + 1}")
            self.scaling.unscale(self.optimizer)
            norm = float(
                gathered(self.accelerator.clip_grad_norm_(self.weights.parameters, self.settings.max_grad_norm))
            )
            if math.isfinite(norm):
                self.scaling.succeeded()
                return shared, norm
            self.optimizer.zero_grad(set_to_none=False)
            if not self.scaling.lowered():
                # Clipping has spread NaN over all gradients: they are computed again to see where it comes from.
                self.backward(units, data, step)
                refuse_gradient(self.transformer, f"the gradient's norm is {norm} at step {step + 1}")

    def backward(self, units: Sequence[Unit], data: TrainingData, step: int) -> StepSums:
        """Gradients of this process's share of a step, in parts of at most `micro_batch_size` units."""
        accelerator, settings = self.accelerator, self.settings
        share = units[accelerator.process_index :: accelerator.num_processes]
        size = settings.micro_batch_size or len(share)
        parts: list[StepSums] = []
        for start in range(0, len(share), size):
            batch = make_batch(data, share[start : start + size], seed=settings.seed, step=step, flow=self.flow)
            last = start + size >= len(share)
            with nullcontext() if last else accelerator.no_sync(self.model):
                part = step_sums(
                    batch.to(accelerator.device),
                    predict=self._predict,
                    predict_base=self._predict_base,
                    predict_old=self._predict_old if self.weights.old else None,
                    settings=settings,
                    flow=self.flow,
                )
                # Processes average their gradients, and the loss is a sum of shares.
                accelerator.backward(self.scaling.scaled(part.loss * accelerator.num_processes))
            parts.append(part)
        logged = {name: sum((part.logged[name] for part in parts), torch.zeros(())) for name in parts[0].logged}
        bins = sum((part.bins for part in parts[1:]), parts[0].bins)
        return StepSums(loss=parts[-1].loss.detach(), logged=logged, bins=bins)

    def _predict(self, batch: Batch) -> torch.Tensor:
        return predict_velocity(self.model, batch, self.dtype, self.family)

    @torch.no_grad()
    def _predict_base(self, batch: Batch) -> torch.Tensor:
        self.transformer.disable_adapters()
        velocity = predict_velocity(self.model, batch, self.dtype, self.family)
        self.transformer.enable_adapters()
        return velocity

    @torch.no_grad()
    def _predict_old(self, batch: Batch) -> torch.Tensor:
        with self.weights.as_old():
            return predict_velocity(self.model, batch, self.dtype, self.family)
