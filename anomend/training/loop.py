"""LoRA training on cached latents and text embeddings: one loop for every method, on one process or many.

The objective is in `objectives`, what a step sees in `training_data`, what is looked at meanwhile in `monitoring`.
"""

from __future__ import annotations

import gc
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import SD3Transformer2DModel
from diffusers.optimization import get_scheduler
from torch.distributed.tensor import DTensor
from tqdm import tqdm

from anomend.diffusion.lora import add_lora
from anomend.params.training import TrainParams
from anomend.project.seeding import derived_seed, make_deterministic
from anomend.training.captured import CapturedTransformer
from anomend.training.checkpoints import (
    as_shard,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
    whole,
)
from anomend.training.compiling import compile_blocks
from anomend.training.data import Batch, TrainingData, Unit, choose_units, make_batch
from anomend.training.flat_parameters import flatten
from anomend.training.log import TrainingLog
from anomend.training.monitoring import Look
from anomend.training.objectives import (
    SIGMA_BINS,
    StepSums,
    flow_matching,
    logged_names,
    predict_velocity,
    step_sums,
)
from anomend.training.optimizers import make_optimizer
from anomend.training.progress import Progress

LookAt = Callable[[SD3Transformer2DModel, Accelerator], Look]
"""Looks at the transformer as it would be saved now."""


class LoraTrainer:
    """A transformer with a LoRA, its moving average, optimizer and schedule, resumable at any step."""

    def __init__(
        self,
        transformer: SD3Transformer2DModel,
        settings: TrainParams,
        data: TrainingData,
        checkpoints: Path,
        look_at: LookAt | None = None,
        log: TrainingLog | None = None,
        accelerator: Accelerator | None = None,
    ) -> None:
        """Add the adapter and take up the newest checkpoint, if there is one.

        Args:
            transformer: the base's; it stays frozen.
            settings: the recipe.
            data: what is trained on.
            checkpoints: this run's own folder.
            look_at: called every `monitor.every` steps.
            log: where the curves go; main process only.
            accelerator: the processes; None: this one alone.

        Raises:
            ValueError: the recipe does not fit the base, the machine or the number of processes.
        """
        self.settings, self.data, self.checkpoints = settings, data, checkpoints
        self.look_at, self.log, self.flow = look_at, log or TrainingLog(None), flow_matching(settings)
        self.accelerator = accelerator or Accelerator(cpu=transformer.device.type == "cpu")
        self._refuse_wrong_process_count()
        make_deterministic(derived_seed(settings.seed, "lora") % 2**32)
        self.dtype = transformer.dtype
        self.transformer = transformer
        add_lora(
            transformer,
            settings.rank,
            settings.alpha,
            settings.target_modules,
            settings.use_rslora,
            settings.use_dora,
        )
        if settings.gradient_checkpointing:
            transformer.enable_gradient_checkpointing()
        if settings.compile == "blocks":
            compile_blocks(transformer)
        self.model: torch.nn.Module = (
            self.accelerator.prepare(transformer) if self.accelerator.num_processes > 1 else transformer
        )
        # Sharding replaces parameters: they are those of the prepared model.
        self.parameters = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
        if not any(isinstance(parameter, DTensor) for parameter in self.parameters):
            self.parameters = [flatten(self.parameters)]
        if settings.compile == "whole":
            self.model = CapturedTransformer(transformer, self.parameters[0])
        self.optimizer = make_optimizer(self.parameters, settings)
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.best = [parameter.detach().clone() for parameter in self.parameters]
        self.progress = Progress(["step", *logged_names(settings), "learning_rate", "gradient_norm"])
        self._resume()
        self.schedule = get_scheduler(
            settings.lr_scheduler,
            self.optimizer,
            num_warmup_steps=settings.warmup_steps,
            num_training_steps=settings.steps,
        )
        with warnings.catch_warnings():
            # The optimizer steps that belong to these were made before the checkpoint.
            warnings.simplefilter("ignore", UserWarning)
            for _ in range(self.progress.done):
                self.schedule.step()

    def run(self) -> Progress:
        """Train to the last step, or until no look is better, and put the weights to keep into the transformer."""
        settings, progress = self.settings, self.progress
        self.log.replay(progress.rows, progress.looks)
        self.model.train()
        bar = tqdm(
            initial=progress.done,
            total=settings.steps,
            desc="training",
            unit="step",
            disable=not self.accelerator.is_main_process,
        )
        with _frozen_heap(), bar:
            while progress.done < settings.steps and not progress.looks.stale(settings.monitor.patience):
                row = self.step()
                self.log.step(row)
                bar.set_postfix({name: f"{row[name]:.3f}" for name in logged_names(settings)}, refresh=False)
                bar.update()
                every = settings.monitor.every
                if self.look_at and every and (progress.done % every == 0 or progress.done == settings.steps):
                    self._look(self.look_at)
                if progress.done % settings.checkpoint_every == 0 and progress.done < settings.steps:
                    self.save()
        if settings.monitor.keep == "best" and progress.looks.best is not None:
            self._put(self.best)
        elif settings.ema_decay > 0:
            self._put(self.average)
        self.transformer.eval()
        return progress

    def step(self) -> dict[str, float]:
        """One optimizer step over all processes; returns its row of the loss curve."""
        settings, step = self.settings, self.progress.done
        rate = float(self.optimizer.param_groups[0]["lr"])
        sums = self._backward(choose_units(self.data, settings.seed, step, settings.batch_size, self._class_size))
        names = logged_names(settings)
        shares = torch.cat([torch.stack([sums.logged[name] for name in names]), sums.bins.flatten()])
        shared = self.accelerator.reduce(shares, "sum").cpu()
        if not torch.isfinite(shared[: len(names)]).all():
            raise ValueError(
                f"the loss is {shared[0].item()} at step {step + 1}: lower train.learning_rate, or set "
                "base.dtype=bfloat16"
            )
        norm = self.accelerator.clip_grad_norm_(self.parameters, settings.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        self.schedule.step()
        decay = min(settings.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, [parameter.detach() for parameter in self.parameters], 1 - decay)
        means = dict(zip(names, shared.tolist(), strict=False))
        row = {"step": step + 1.0, **means, "learning_rate": rate, "gradient_norm": float(whole(norm))}
        self.progress.add_step(row, shared[len(names) :].view(2, SIGMA_BINS))
        return row

    def _backward(self, units: list[Unit]) -> StepSums:
        """Gradients of this process's share of a step, in parts of at most `micro_batch_size` units."""
        accelerator, settings = self.accelerator, self.settings
        own = units[accelerator.process_index :: accelerator.num_processes]
        size = settings.micro_batch_size or len(own)
        found: list[StepSums] = []
        for start in range(0, len(own), size):
            batch = make_batch(self.data, own[start : start + size], settings.seed, self.progress.done, self.flow)
            last = start + size >= len(own)
            with accelerator.no_sync(self.model) if not last else _nothing():
                part = step_sums(self._predict, self._predict_base, batch.to(accelerator.device), settings, self.flow)
                # Processes average their gradients, and the loss is a sum of shares.
                accelerator.backward(part.loss * accelerator.num_processes)
            found.append(part)
        logged = {name: sum((part.logged[name] for part in found), torch.zeros(())) for name in found[0].logged}
        return StepSums(found[-1].loss.detach(), logged, sum((part.bins for part in found[1:]), found[0].bins))

    def _predict(self, batch: Batch) -> torch.Tensor:
        return predict_velocity(self.model, batch, self.dtype)

    @torch.no_grad()
    def _predict_base(self, batch: Batch) -> torch.Tensor:
        self.transformer.disable_adapters()
        velocity = predict_velocity(self.model, batch, self.dtype)
        self.transformer.enable_adapters()
        return velocity

    def _look(self, look_at: LookAt) -> None:
        """See how far the correction is, on the weights that would be saved now, and remember the best ones."""
        with self._averaged():
            self.transformer.eval()
            look = look_at(self.transformer, self.accelerator)
            self.transformer.train()
        if self.progress.add_look(look):
            source = self.average if self.settings.ema_decay > 0 else self.parameters
            self.best = [value.detach().clone() for value in source]
        self.log.look(self.progress.looks, -1)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        if self.settings.ema_decay == 0:
            yield
            return
        trained = [parameter.detach().clone() for parameter in self.parameters]
        self._put(self.average)
        try:
            yield
        finally:
            self._put(trained)

    def _put(self, values: list[torch.Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.data.copy_(as_shard(value, parameter))

    def _like(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """The parameter that a tensor of the optimizer's state is sharded like, or the tensor itself."""
        kind, _, rest = name.partition("/")
        index = rest.partition("/")[0]
        if kind == "optimizer" and index.isdigit() and self.parameters[int(index)].shape == value.shape:
            return self.parameters[int(index)]
        return value

    @property
    def _class_size(self) -> int:
        return self.settings.class_batch_size if self.data.classes else 0

    def _refuse_wrong_process_count(self) -> None:
        units, processes = self.settings.batch_size + self._class_size, self.accelerator.num_processes
        if processes > 1 and self.settings.compile == "whole":
            raise ValueError("train.compile = whole is for one process: set it to blocks, or train.launcher to []")
        if units % processes:
            raise ValueError(
                f"train.batch_size + train.class_batch_size = {units} cannot be shared evenly by {processes} "
                f"processes: change one of them to a multiple of {processes}"
            )

    def save(self) -> None:
        """Write a checkpoint: everything that the next step and the curves depend on."""
        tensors = optimizer_tensors(self.optimizer)
        for name, values in (("lora", self.parameters), ("average", self.average), ("best", self.best)):
            tensors |= {f"{name}/{index}": value.detach() for index, value in enumerate(values)}
        # Every process takes part in gathering shards; one writes.
        tensors = {name: whole(value) for name, value in tensors.items()}
        if not self.accelerator.is_main_process:
            return
        save_checkpoint(self.checkpoints, self.progress.done, tensors | self.progress.tensors())

    def _resume(self) -> None:
        found = load_checkpoint(self.checkpoints)
        if found is None:
            return
        done, tensors = found
        self.progress = Progress.of(self.progress.columns, done, tensors)
        self._put([tensors[f"lora/{index}"] for index in range(len(self.parameters))])
        for name, values in (("average", self.average), ("best", self.best)):
            for index, value in enumerate(values):
                value.copy_(as_shard(tensors[f"{name}/{index}"], value))
        shards = {name: as_shard(value, self._like(name, value)) for name, value in tensors.items()}
        restore_optimizer(self.optimizer, shards)
        if self.accelerator.is_main_process:
            tqdm.write(f"resuming after step {done} from {self.checkpoints}")

    def forget_checkpoints(self) -> None:
        """Remove the run's checkpoints, once its result is safe."""
        if self.accelerator.is_main_process:
            shutil.rmtree(self.checkpoints, ignore_errors=True)


@contextmanager
def _frozen_heap() -> Iterator[None]:
    """Python's garbage collector passes over what exists already, the libraries' objects above all: searching them
    again and again takes as long as a fifth of a small step."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _nothing() -> Iterator[None]:
    yield
