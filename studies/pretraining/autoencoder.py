"""Pre-train the miniature's AutoencoderKL on drawn pictures.

Loss: L1 + 2 MSE + `kl_weight` KL. The scaling and shift factors of the latents are measured at the end, as Stable
Diffusion 3 has them: z = (encoded - shift_factor) * scaling_factor has mean 0 and standard deviation 1.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from tqdm import tqdm

from anomend.miniature.dataset import draw
from anomend.project.seeding import make_deterministic, torch_generator
from anomend.training.checkpoints import load_checkpoint, optimizer_tensors, restore_optimizer, save_checkpoint
from studies.pretraining.settings import AutoencoderSettings, load_settings, write_metrics


def build_autoencoder(settings: AutoencoderSettings) -> AutoencoderKL:
    """A small AutoencoderKL: 64 x 64 x 3 pictures to 16 x 16 latents, without attention."""
    channels = tuple(settings.channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=settings.latent_channels,
        norm_num_groups=8,
        sample_size=64,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    )


def to_model_range(images: torch.Tensor) -> torch.Tensor:
    """uint8 (B, H, W, 3) to float (B, 3, H, W) in [-1, 1]."""
    return images.permute(0, 3, 1, 2).float() / 127.5 - 1


def train(settings: AutoencoderSettings, images: torch.Tensor, checkpoints: Path) -> tuple[AutoencoderKL, list[dict]]:
    """Train on uint8 pictures (N, 64, 64, 3); resumes from `checkpoints`. Returns the model and its loss curve."""
    make_deterministic(settings.seed)
    model = build_autoencoder(settings)
    optimizer = torch.optim.AdamW(model.parameters(), settings.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    start, curve = 0, []
    if checkpoint := load_checkpoint(checkpoints):
        start, tensors = checkpoint
        model.load_state_dict({k.removeprefix("model/"): v for k, v in tensors.items() if k.startswith("model/")})
        restore_optimizer(optimizer, tensors)
    for step in tqdm(range(start, settings.steps), initial=start, total=settings.steps, desc="autoencoder"):
        warm = min(1.0, (step + 1) / 100)
        rate = settings.learning_rate * warm * (0.5 + 0.5 * math.cos(math.pi * step / settings.steps)) + 1e-6
        for group in optimizer.param_groups:
            group["lr"] = rate
        generator = torch_generator(settings.seed, "autoencoder", step)
        batch = to_model_range(images[torch.randint(len(images), (settings.batch_size,), generator=generator)])
        with torch.autocast("cpu", torch.bfloat16):
            posterior = model.encode(batch).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=generator)
            decoded = model.decode(posterior.mean + posterior.std * noise).sample
        error = decoded.float() - batch
        mean, variance, log_variance = posterior.mean.float(), posterior.var.float(), posterior.logvar.float()
        kl = 0.5 * (mean**2 + variance - 1 - log_variance).mean()
        loss = error.abs().mean() + 2 * (error**2).mean() + settings.kl_weight * kl
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 50 == 0:
            curve.append({"step": step + 1, "loss": round(loss.item(), 5), "mse": round((error**2).mean().item(), 6)})
        if (step + 1) % settings.checkpoint_every == 0:
            state = {f"model/{k}": v for k, v in model.state_dict().items()}
            save_checkpoint(checkpoints, step + 1, {**state, **optimizer_tensors(optimizer)})
    return model.eval(), curve


@torch.no_grad()
def encode(model: AutoencoderKL, images: torch.Tensor, batch_size: int = 100) -> tuple[torch.Tensor, torch.Tensor]:
    """Posterior mean and standard deviation of uint8 pictures, each (N, C, 16, 16) in half precision."""
    means, deviations = [], []
    for start in tqdm(range(0, len(images), batch_size), desc="encoding"):
        posterior = model.encode(to_model_range(images[start : start + batch_size])).latent_dist
        means.append(posterior.mean.half())
        deviations.append(posterior.std.half())
    return torch.cat(means), torch.cat(deviations)


@torch.no_grad()
def round_trip(model: AutoencoderKL, images: torch.Tensor, batch_size: int = 100) -> torch.Tensor:
    """Encode (posterior mean) and decode uint8 pictures; same shape and type back."""
    parts = []
    for start in range(0, len(images), batch_size):
        latents = model.encode(to_model_range(images[start : start + batch_size])).latent_dist.mean
        decoded = (model.decode(latents).sample.clamp(-1, 1) + 1) * 127.5
        parts.append(decoded.round().to(torch.uint8).permute(0, 2, 3, 1))
    return torch.cat(parts)


def main() -> None:
    settings = load_settings().autoencoder
    drawings = draw(settings.pictures, settings.seed, defect_rate=0.5, focus=0.2)
    images = torch.from_numpy(np.stack([drawing.image for drawing in drawings]))
    build = Path("studies/pretraining/build")
    model, curve = train(settings, images, build / "checkpoints/autoencoder")
    means, _ = encode(model, images[:4000])
    shift, scale = means.float().mean().item(), 1 / means.float().std().item()
    model.register_to_config(shift_factor=round(shift, 5), scaling_factor=round(scale, 5))
    held_out = torch.from_numpy(np.stack([d.image for d in draw(500, settings.seed + 1, defect_rate=0.5)]))
    mse = ((round_trip(model, held_out).float() - held_out.float()) ** 2).mean(dim=(1, 2, 3))
    psnr = (10 * torch.log10(255**2 / mse)).mean().item()
    model.save_pretrained(build / "autoencoder")
    write_metrics("autoencoder", {"round_trip_psnr_db": psnr, "held_out_pictures": 500}, curve)


if __name__ == "__main__":
    main()
