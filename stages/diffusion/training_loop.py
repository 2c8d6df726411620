"""DreamBooth LoRA training on cached latents and text embeddings.

Per step: loss = mean over instance images of |v_hat - v|^2 + prior_loss_weight * mean over class images of the same
(Ruiz et al. 2023, eq. 2, with the rectified-flow objective of `flow_matching`).

Every draw is keyed on (seed, what, step, place in the batch, sample id) from a CPU generator, so that a run killed at
any step goes on exactly as an uninterrupted one would have.
"""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from diffusers import SD3Transformer2DModel
from diffusers.optimization import get_scheduler
from tqdm import tqdm

from stages.diffusion.checkpoints import load_checkpoint, optimizer_tensors, restore_optimizer, save_checkpoint
from stages.diffusion.embeddings import EncodedSet
from stages.diffusion.flow_matching import add_noise, flow_matching_loss, sample_sigmas
from stages.diffusion.latent_format import LatentFormat
from stages.diffusion.lora import add_lora
from stages.params import TrainParams
from stages.seeding import derived_seed, make_deterministic, torch_generator


@dataclass(frozen=True)
class Batch:
    """Noised latents with what predicts them and what they are compared with."""

    latents: torch.Tensor
    """Clean latents x_0, (B, C, h, w)."""
    noise: torch.Tensor
    """n, (B, C, h, w)."""
    sigma: torch.Tensor
    """Noise levels, (B,)."""
    embeds: torch.Tensor
    """Text embeddings, (B, tokens, width)."""
    pooled: torch.Tensor
    """Pooled text embeddings, (B, width)."""


def choose_samples(seed: int, kind: str, step: int, batch_size: int, count: int) -> list[int]:
    """Rows of the samples of a step: every epoch goes once through all `count` samples in an order of its own."""
    rows = []
    for position in range(step * batch_size, (step + 1) * batch_size):
        epoch, place = divmod(position, count)
        order = torch.randperm(count, generator=torch_generator(seed, kind, "order", epoch))
        rows.append(int(order[place]))
    return rows


def make_batch(
    data: EncodedSet, kind: str, step: int, batch_size: int, latent_format: LatentFormat, settings: TrainParams
) -> Batch:
    """Draw the batch of a step: samples, a view of each, a latent from its VAE posterior, noise and sigma."""
    rows = choose_samples(settings.seed, kind, step, batch_size, len(data))
    latents, noise, uniform = [], [], []
    for slot, row in enumerate(rows):
        generator = torch_generator(settings.seed, kind, step, slot, data.ids[row])
        view = int(torch.randint(data.mean.shape[1], (), generator=generator))
        mean, std = data.mean[row, view], data.std[row, view]
        drawn = mean + std * torch.randn(mean.shape, generator=generator)
        latents.append(latent_format.process_in(drawn))
        noise.append(torch.randn(drawn.shape, generator=generator))
        uniform.append(torch.rand((), generator=generator))
    captions = data.caption[rows]
    return Batch(
        torch.stack(latents),
        torch.stack(noise),
        sample_sigmas(torch.stack(uniform), settings.sigma_scheme, settings.sigma_shift),
        data.embeds[captions],
        data.pooled[captions],
    )


def batch_loss(transformer: SD3Transformer2DModel, batch: Batch) -> torch.Tensor:
    """Flow-matching loss of each sample, (B,)."""
    device, dtype = transformer.device, transformer.dtype
    velocity = transformer(
        hidden_states=add_noise(batch.latents, batch.noise, batch.sigma).to(device, dtype),
        timestep=batch.sigma.to(device) * 1000,
        encoder_hidden_states=batch.embeds.to(device, dtype),
        pooled_projections=batch.pooled.to(device, dtype),
        return_dict=False,
    )[0]
    return flow_matching_loss(velocity, batch.latents.to(device), batch.noise.to(device))


class LoraTrainer:
    """A transformer with a LoRA, its moving average, optimizer and schedule, resumable at any step."""

    def __init__(self, transformer: SD3Transformer2DModel, settings: TrainParams, checkpoints: Path) -> None:
        self.settings, self.checkpoints, self.transformer = settings, checkpoints, transformer
        make_deterministic(derived_seed(settings.seed, "lora") % 2**32)
        self.parameters = add_lora(transformer, settings.rank, settings.alpha, settings.target_modules)
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.optimizer = torch.optim.AdamW(self.parameters, settings.learning_rate, weight_decay=settings.weight_decay)
        self.curve: list[dict[str, float]] = []
        self.done = 0
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
            for _ in range(self.done):
                self.schedule.step()

    def _resume(self) -> None:
        found = load_checkpoint(self.checkpoints)
        if found is None:
            return
        self.done, tensors = found
        for index, (parameter, average) in enumerate(zip(self.parameters, self.average, strict=True)):
            parameter.data.copy_(tensors[f"lora/{index}"])
            average.copy_(tensors[f"average/{index}"])
        restore_optimizer(self.optimizer, tensors)
        curve = tensors["curve"].tolist()
        self.curve = [dict(zip(CURVE, row, strict=True)) for row in curve]
        tqdm.write(f"resuming after step {self.done} from {self.checkpoints}")

    def save(self) -> None:
        """Write a checkpoint; the loss curve goes with it, so that a resumed run's curve is whole."""
        state = {f"lora/{index}": parameter for index, parameter in enumerate(self.parameters)}
        averages = {f"average/{index}": average for index, average in enumerate(self.average)}
        curve = torch.tensor([[row[key] for key in CURVE] for row in self.curve], dtype=torch.float64)
        tensors = {**state, **averages, **optimizer_tensors(self.optimizer), "curve": curve}
        save_checkpoint(self.checkpoints, self.done, tensors)

    def step(self, instance: Batch, classes: Batch | None) -> dict[str, float]:
        """One optimizer step; returns its row of the loss curve."""
        rate = self.optimizer.param_groups[0]["lr"]
        instance_loss = batch_loss(self.transformer, instance).mean()
        prior_loss = batch_loss(self.transformer, classes).mean() if classes else torch.zeros(())
        loss = instance_loss + self.settings.prior_loss_weight * prior_loss.to(instance_loss.device)
        if not torch.isfinite(loss):
            raise ValueError(
                f"the loss is {loss.item()} at step {self.done + 1}: lower train.learning_rate, or set "
                "base.dtype=bfloat16"
            )
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.max_grad_norm)
        self.optimizer.step()
        self.schedule.step()
        decay = min(self.settings.ema_decay, (1 + self.done) / (10 + self.done))
        with torch.no_grad():
            for average, parameter in zip(self.average, self.parameters, strict=True):
                average.lerp_(parameter, 1 - decay)
        self.done += 1
        row = {
            "step": float(self.done),
            "loss": instance_loss.item(),
            "prior_loss": prior_loss.item(),
            "learning_rate": rate,
        }
        self.curve.append(row)
        return row

    def run(self, instance: EncodedSet, classes: EncodedSet | None, latent_format: LatentFormat) -> pd.DataFrame:
        """Train to the last step and put the moving average into the transformer.

        Args:
            instance: what to learn.
            classes: images of the base itself, for prior preservation; None turns it off.
            latent_format: scale and shift of the base's latents.

        Returns:
            The loss curve: step, loss, prior_loss, learning_rate.
        """
        settings = self.settings
        use_classes = classes if settings.class_batch_size else None
        self.transformer.train()
        bar = tqdm(
            range(self.done, settings.steps), initial=self.done, total=settings.steps, desc="training", unit="step"
        )
        for step in bar:
            batch = make_batch(instance, "instance", step, settings.batch_size, latent_format, settings)
            prior = (
                make_batch(use_classes, "class", step, settings.class_batch_size, latent_format, settings)
                if use_classes
                else None
            )
            row = self.step(batch, prior)
            bar.set_postfix(loss=f"{row['loss']:.3f}", prior=f"{row['prior_loss']:.3f}")
            if self.done % settings.checkpoint_every == 0 and self.done < settings.steps:
                self.save()
        if settings.ema_decay > 0:
            for parameter, average in zip(self.parameters, self.average, strict=True):
                parameter.data.copy_(average)
        self.transformer.eval()
        return pd.DataFrame(self.curve).astype({"step": int})

    def forget_checkpoints(self) -> None:
        """Remove the run's checkpoints, once its result is safe."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)


CURVE = ("step", "loss", "prior_loss", "learning_rate")
