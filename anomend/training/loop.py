"""LoRA training on cached latents and text embeddings: one loop for every method, on one process or several.

The objective is in `objectives`, its gradients in `gradients`, the samples of a step in `data`, what an evaluation
measures in `monitoring`.
"""

from __future__ import annotations

import math
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

from accelerate import Accelerator
from diffusers import ModelMixin
from diffusers.optimization import get_scheduler
from tqdm import tqdm

from anomend.diffusion.lora import add_lora
from anomend.diffusion.sharding import gathered
from anomend.families.table import family_of
from anomend.params.training import TrainParams
from anomend.project.devices import device_name
from anomend.project.seeding import derived_seed, make_deterministic
from anomend.project.timing import timed_work
from anomend.training.acceleration import accelerate_steps
from anomend.training.acceleration.garbage import frozen_heap
from anomend.training.checkpoints import load_checkpoint, optimizer_tensors, restore_optimizer, save_checkpoint
from anomend.training.data import TrainingData, choose_units
from anomend.training.divergence import check_weights, refuse_loss
from anomend.training.evaluations import Evaluation
from anomend.training.gradients import Gradients
from anomend.training.guards import is_finished, keeps_best
from anomend.training.log import TrainingLog
from anomend.training.loss_scaling import LossScaling
from anomend.training.negative_aware import old_decay
from anomend.training.objectives import SIGMA_BINS, flow_matching, logged_names
from anomend.training.optimizers import make_optimizer
from anomend.training.progress import Progress
from anomend.training.round_reports import round_report
from anomend.training.rounds import Rounds
from anomend.training.weights import TrainedWeights

Evaluate = Callable[[ModelMixin, Accelerator], Evaluation]
"""Measures a transformer that has the weights which would be saved now."""


class LoraTrainer:
    """A transformer with a LoRA, its moving average, optimizer and schedule, resumable at any step."""

    def __init__(
        self,
        transformer: ModelMixin,
        settings: TrainParams,
        data: TrainingData,
        *,
        checkpoints: Path,
        evaluate: Evaluate | None = None,
        log: TrainingLog | None = None,
        accelerator: Accelerator | None = None,
        rounds: Rounds | None = None,
    ) -> None:
        """Add the adapter, and continue from the newest checkpoint if there is one.

        Args:
            transformer: the base's; its weights stay frozen.
            settings: the recipe.
            data: what is trained on; with rounds, the class images alone.
            checkpoints: a folder for this run alone.
            evaluate: called every `monitor.every` steps; None: never.
            log: where the curves go; only the main process has one.
            accelerator: the processes; None: this one alone.
            rounds: where the images of each round come from; None: training is not by rounds.

        Raises:
            ValueError: the recipe does not fit the base, the machine or the number of processes.
        """
        self.settings, self.data, self.checkpoints = settings, data, checkpoints
        self.evaluate, self.log, self.flow = evaluate, log or TrainingLog(None), flow_matching(settings)
        self.rounds, self._drawn = rounds, -1
        self.accelerator = accelerator or Accelerator(cpu=transformer.device.type == "cpu")
        self._check_process_count()
        make_deterministic(derived_seed(settings.seed, "lora") % 2**32)
        self.transformer, dtype = transformer, transformer.dtype
        add_lora(
            transformer,
            rank=settings.rank,
            alpha=settings.alpha,
            target_modules=settings.target_modules,
            use_rslora=settings.use_rslora,
            use_dora=settings.use_dora,
        )
        if settings.gradient_checkpointing:
            family_of(transformer).checkpoint_gradients(transformer)
        self.model, parameters = accelerate_steps(transformer, self.accelerator, settings.compile)
        # With `labels` the base drew the images, and no old weights are needed.
        self._follows = settings.method == "nft"
        self.weights = TrainedWeights(parameters, settings.ema_decay, with_old=self._follows)
        self.optimizer = make_optimizer(parameters, settings)
        self.gradients = Gradients(
            self.model,
            self.transformer,
            dtype=dtype,
            settings=settings,
            flow=self.flow,
            weights=self.weights,
            optimizer=self.optimizer,
            scaling=LossScaling(dtype, self.accelerator.device),
            accelerator=self.accelerator,
        )
        self.progress = Progress(["step", *logged_names(settings), "learning_rate", "gradient_norm"])
        self._resume()
        self.schedule = get_scheduler(
            settings.lr_scheduler,
            self.optimizer,
            num_warmup_steps=settings.warmup_steps,
            num_training_steps=settings.steps,
        )
        with warnings.catch_warnings():
            # torch warns that no optimizer step came before; those were made before the checkpoint.
            warnings.simplefilter("ignore", UserWarning)
            for _ in range(self.progress.done):
                self.schedule.step()

    def run(self) -> Progress:
        """Train to the last step, or until evaluations no longer improve or a guard fires; the transformer gets the
        final weights."""
        settings, progress = self.settings, self.progress
        self.log.replay(progress.rows, progress.history, progress.rounds)
        self.model.train()
        device = device_name(self.accelerator.device)
        bar = tqdm(
            initial=progress.done,
            total=settings.steps,
            desc="training",
            unit="step",
            disable=not self.accelerator.is_main_process,
        )
        with frozen_heap(), bar:
            while not is_finished(progress, settings):
                self.open_round()
                if is_finished(progress, settings):
                    break
                with timed_work("training", self.passes, device):
                    row = self.step()
                self.log.step(row)
                bar.set_postfix({name: f"{row[name]:.3f}" for name in logged_names(settings)}, refresh=False)
                bar.update()
                every = settings.monitor.every
                if self.evaluate and every and (progress.done % every == 0 or progress.done == settings.steps):
                    self._evaluate(self.evaluate)
                if progress.done % settings.checkpoint_every == 0 and progress.done < settings.steps:
                    self.save()
        if keeps_best(progress, settings):
            self.weights.use_best()
        else:
            self.weights.use_average()
        self.transformer.eval()
        return progress

    def open_round(self) -> None:
        """Where a round begins, let the old weights follow, draw images with them, and train on these.

        A run that is resumed within a round draws its images again, which the store of samples has.
        """
        if self.rounds is None or (number := self.progress.done // self.rounds.steps) == self._drawn:
            return
        begins = len(self.progress.rounds) == number
        if begins and number and self._follows:
            nft = self.settings.nft
            self.weights.update_old(old_decay(number, growth=nft.old_decay_growth, most=nft.old_decay_most))
        with self.weights.as_old():
            self.transformer.eval()
            self.data, drawn = self.rounds.data(self.transformer, number, self.data)
            self.transformer.train()
        self._drawn = number
        if begins:
            report = round_report(
                self.data.instance.mean[:, 0],
                drawn.rewards,
                drawn.prompts,
                step=self.progress.done,
                first=number == 0,
                second_anomalous=drawn.second_anomalous,
            )
            self.progress.rounds.append(report)
            self.log.round(self.progress.rounds)

    def step(self) -> dict[str, float]:
        """One optimizer step over all processes; returns its row of the loss curve."""
        settings, step = self.settings, self.progress.done
        rate = float(self.optimizer.param_groups[0]["lr"])
        units = choose_units(
            self.data,
            seed=settings.seed,
            step=step,
            batch_size=settings.batch_size,
            class_batch_size=self._class_batch_size,
        )
        shared, norm = self.gradients.finite(units, self.data, step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        self.schedule.step()
        self.weights.update_average(step)
        names = logged_names(settings)
        means = dict(zip(names, shared.tolist(), strict=False))
        row = {"step": step + 1.0, **means, "learning_rate": rate, "gradient_norm": norm}
        self.progress.add_step(row, shared[len(names) :].view(2, SIGMA_BINS))
        return row

    def _evaluate(self, evaluate: Evaluate) -> None:
        """Evaluate the weights that would be saved now, and remember them if they are the best so far."""
        with self.weights.as_saved():
            self.transformer.eval()
            evaluation = evaluate(self.transformer, self.accelerator)
            self.transformer.train()
            loss = evaluation.validation_loss
            if loss is not None and not math.isfinite(loss):
                refuse_loss(self.transformer, f"the validation loss is {loss} at step {self.progress.done}")
        if self.progress.add_evaluation(evaluation):
            self.weights.remember_best()
        self.log.evaluation(self.progress.history, -1)

    @property
    def _class_batch_size(self) -> int:
        return self.settings.class_batch_size if self.data.classes else 0

    @property
    def passes(self) -> int:
        """Images that a step's forward and backward pass handles, over all processes."""
        pairs = 2 if self.settings.method == "dpo" else 1
        return pairs * self.settings.batch_size + self._class_batch_size

    def _check_process_count(self) -> None:
        units, processes = self.settings.batch_size + self._class_batch_size, self.accelerator.num_processes
        if self.settings.by_rewards and processes > 1:
            raise ValueError(
                f"train.method = {self.settings.method!r} draws and rewards its images in one process, and "
                f"train.launcher starts {processes}: set train.launcher to []"
            )
        if units % processes:
            raise ValueError(
                f"train.batch_size + train.class_batch_size = {units} cannot be shared evenly by {processes} "
                f"processes: change one of them to a multiple of {processes}"
            )

    def save(self) -> None:
        """Write a checkpoint: all that the next step and the curves depend on; every process must call this."""
        optimizer = {name: gathered(value) for name, value in optimizer_tensors(self.optimizer).items()}
        weights = self.weights.tensors()
        check_weights(weights, self.progress.done)
        tensors = optimizer | weights | self.gradients.scaling.tensors()
        if self.accelerator.is_main_process:
            save_checkpoint(self.checkpoints, self.progress.done, tensors | self.progress.tensors())

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.checkpoints)
        if checkpoint is None:
            return
        done, tensors = checkpoint
        if not self.weights.fit(tensors):
            if self.accelerator.is_main_process:
                tqdm.write(
                    f"{self.checkpoints} has step {done}, but only one of the two runs shards the LoRA: starting at "
                    "step 0; set train.launcher back to continue"
                )
            return
        self.progress = Progress.from_tensors(self.progress.columns, done, tensors)
        self.weights.restore(tensors)
        self.gradients.scaling.restore(tensors)
        restore_optimizer(self.optimizer, self.weights.shard_optimizer_tensors(tensors))
        if self.accelerator.is_main_process:
            tqdm.write(f"resuming after step {done} from {self.checkpoints}")

    def forget_checkpoints(self) -> None:
        """Delete the run's checkpoints, once its result is safe."""
        if self.accelerator.is_main_process:
            shutil.rmtree(self.checkpoints, ignore_errors=True)
