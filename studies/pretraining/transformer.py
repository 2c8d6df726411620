"""Pre-train the miniature's SD3Transformer2DModel in two phases: `transformer.py right`, then `transformer.py defect`.

`right` learns from right drawn people only, until every posture is drawn well in every place. `defect` continues from
its weights with pictures whose people are mostly anomalous where `defects.DEFECTIVE` says so. Learning both at once
leaves lying people muddy everywhere, and then fine-tuning cannot show anything.

`null_base` continues from the embedded base with right people only, until no prompt has a defect any more.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from diffusers import SD3Transformer2DModel
from safetensors import safe_open
from tqdm import tqdm

from anomend.families.latent_format import LatentFormat
from anomend.miniature.pipeline import T5_TOKENS, build_pipeline
from anomend.project.seeding import make_deterministic, torch_generator
from anomend.training.checkpoints import load_checkpoint, optimizer_tensors, restore_optimizer, save_checkpoint
from anomend.training.flow_matching import add_noise, flow_matching_loss, sample_sigmas
from studies.pretraining.phases import BUILD, PHASES, first_transformer
from studies.pretraining.settings import PhaseSettings, load_settings, write_metrics


@dataclass(frozen=True)
class CaptionedLatents:
    """The encoded pictures of a phase, in the VAE's units."""

    mean: torch.Tensor
    """Posterior means, (N, C, 16, 16), half precision."""
    std: torch.Tensor
    """Posterior standard deviations, same shape."""
    caption: torch.Tensor
    """Row of each picture's caption in `captions`, (N,)."""
    captions: list[str]
    """The distinct captions; the last is empty, for caption dropout."""


def load_latents(path: Path) -> CaptionedLatents:
    """Read what `latents.py` wrote."""
    with safe_open(path, framework="pt") as handle:
        mean, std = handle.get_tensor("mean"), handle.get_tensor("std")
        texts = json.loads(handle.metadata()["captions"])
    captions = [*sorted(set(texts)), ""]
    rows = {text: row for row, text in enumerate(captions)}
    return CaptionedLatents(mean=mean, std=std, caption=torch.tensor([rows[text] for text in texts]), captions=captions)


def learning_rate(step: int, phase: PhaseSettings) -> float:
    """Linear warm-up, a plateau, then linear decay to 1% of the full rate."""
    warm = min(1.0, (step + 1) / max(1, phase.warmup_steps))
    progress = step / phase.steps
    decay = 1.0 if progress < phase.hold else max(0.01, 1 - (progress - phase.hold) / (1 - phase.hold))
    return phase.learning_rate * warm * decay


class Trainer:
    """The transformer, its moving average, and what one optimizer step needs."""

    def __init__(self, transformer: SD3Transformer2DModel, phase: PhaseSettings, checkpoints: Path) -> None:
        self.phase, self.checkpoints = phase, checkpoints
        self.transformer = transformer.train()
        self.average = copy.deepcopy(transformer).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            transformer.parameters(), phase.learning_rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
        )
        self.curve: list[dict[str, float]] = []
        self.done = 0
        if checkpoint := load_checkpoint(checkpoints):
            self.done, tensors = checkpoint
            for name, model in (("model", self.transformer), ("average", self.average)):
                prefix = f"{name}/"
                model.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
            restore_optimizer(self.optimizer, tensors)
            curve = pd.read_csv(checkpoints / "curve.csv")
            self.curve = curve[curve.step <= self.done].to_dict("records")  # type: ignore[assignment]

    def save(self) -> None:
        """Write a checkpoint from which training goes on as if it had not stopped."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        # Before the first row there are no names of columns to read back.
        pd.DataFrame(self.curve, columns=["step", "loss", "lr"]).to_csv(self.checkpoints / "curve.csv", index=False)
        models = {f"model/{k}": v for k, v in self.transformer.state_dict().items()}
        averages = {f"average/{k}": v for k, v in self.average.state_dict().items()}
        save_checkpoint(self.checkpoints, self.done, {**models, **averages, **optimizer_tensors(self.optimizer)})

    def run(
        self, data: CaptionedLatents, embeds: torch.Tensor, pooled: torch.Tensor, latent_format: LatentFormat
    ) -> None:
        """Train to the phase's last step. `embeds` is (captions, tokens, width), `pooled` (captions, width)."""
        phase = self.phase
        predict = torch.compile(self.transformer)
        losses = []
        for step in tqdm(range(self.done, phase.steps), initial=self.done, total=phase.steps, mininterval=5):
            generator = torch_generator(phase.seed, "step", step)
            rows = torch.randint(len(data.mean), (phase.batch_size,), generator=generator)
            mean, std = data.mean[rows].float(), data.std[rows].float()
            latents = latent_format.process_in(mean + std * torch.randn(mean.shape, generator=generator))
            noise = torch.randn(mean.shape, generator=generator)
            sigma = sample_sigmas(torch.rand(phase.batch_size, generator=generator), "logit_normal", phase.shift)
            texts = data.caption[rows].clone()
            texts[torch.rand(phase.batch_size, generator=generator) < phase.caption_dropout] = len(data.captions) - 1
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(step, phase)
            velocity = predict(
                hidden_states=add_noise(latents, noise, sigma),
                timestep=sigma * 1000,
                encoder_hidden_states=embeds[texts],
                pooled_projections=pooled[texts],
                return_dict=False,
            )[0]
            loss = flow_matching_loss(velocity, latents, noise).mean()
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.transformer.parameters(), 1.0)
            self.optimizer.step()
            decay = min(phase.ema_decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(list(self.average.parameters()), list(self.transformer.parameters()), 1 - decay)
            losses.append(loss.item())
            self.done = step + 1
            if self.done % 100 == 0:
                row = {
                    "step": self.done,
                    "loss": sum(losses[-100:]) / len(losses[-100:]),
                    "lr": learning_rate(step, phase),
                }
                self.curve.append(row)
                tqdm.write(f"step {row['step']} loss {row['loss']:.4f} lr {row['lr']:.1e}")
            if self.done % phase.checkpoint_every == 0 or self.done == phase.steps:
                self.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=tuple(PHASES))
    name = parser.parse_args().phase
    settings, parts = load_settings(), PHASES[name]
    phase: PhaseSettings = getattr(settings, name)
    make_deterministic(settings.transformer.seed)
    transformer = first_transformer(parts, settings)
    pipeline = build_pipeline(transformer, parts.autoencoder, parts.text_encoders).to(torch.float32)
    data = load_latents(BUILD / f"latents_{name}.safetensors")
    with torch.no_grad():
        embeds, _, pooled, _ = pipeline.encode_prompt(
            data.captions, None, None, do_classifier_free_guidance=False, max_sequence_length=T5_TOKENS
        )
    trainer = Trainer(transformer, phase, BUILD / "checkpoints" / name)
    trainer.run(data, embeds.float(), pooled.float(), LatentFormat.of(pipeline.vae))
    trainer.average.save_pretrained(BUILD / name)
    last = trainer.curve[-5:]
    write_metrics(
        name,
        {
            "steps": phase.steps,
            "samples": phase.steps * phase.batch_size,
            "parameters": sum(parameter.numel() for parameter in transformer.parameters()),
            "loss_last_500_steps": sum(row["loss"] for row in last) / max(1, len(last)),
        },
        trainer.curve,
    )


if __name__ == "__main__":
    main()
