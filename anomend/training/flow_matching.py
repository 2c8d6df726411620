"""Rectified flow as Stable Diffusion 3 trains it (Esser et al. 2024, arXiv 2403.03206, sections 2 and 3.1).

    x_sigma = (1 - sigma) x_0 + sigma n        noising, sigma in [0, 1], n standard normal
    v       = d x_sigma / d sigma = n - x_0    velocity, what the transformer predicts
    L       = w(sigma) |v_hat - v|^2           per sample, mean over the latents' elements

Everything is pure: no weights, no global state, float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

SigmaScheme = Literal["logit_normal", "mode", "cosmap", "uniform"]
LossWeighting = Literal["none", "sigma_sqrt", "cosmap"]
Preconditioning = Literal["none", "edm"]


def shift_sigma(sigma: torch.Tensor, shift: float) -> torch.Tensor:
    """Move sigmas towards noise: shift * sigma / (1 + (shift - 1) sigma) (Esser et al., eq. 23); 1 changes nothing."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def sample_sigmas(
    uniform: torch.Tensor,
    scheme: SigmaScheme,
    shift: float = 1.0,
    *,
    mean: float = 0.0,
    std: float = 1.0,
    mode_scale: float = 1.29,
    levels: int = 0,
) -> torch.Tensor:
    """Turn uniform draws into noise levels.

    Args:
        uniform: draws in (0, 1), shape (B,).
        scheme: `logit_normal` puts most draws in the middle (Esser et al., eq. 19), `mode` does so with heavy tails
            (eq. 20), `cosmap` follows the cosine schedule's signal-to-noise ratio (eq. 21), `uniform` spreads evenly.
        shift: timestep shift applied afterwards; Stable Diffusion 3 samples with 3 at 1024 x 1024.
        mean: location of the logit-normal; above 0 favours noise.
        std: scale of the logit-normal, above 0.
        mode_scale: s of `mode`, from -1 to 2 / (pi - 2); above 0 favours the middle, 0 is uniform.
        levels: round up to this many equal steps before the shift, as diffusers' scripts do with 1000; 0: do not.

    Returns:
        Sigmas in (0, 1], shape (B,), float32.

    Raises:
        ValueError: unknown scheme.
    """
    uniform = uniform.float().clamp(1e-6, 1 - 1e-6)
    if scheme == "logit_normal":
        sigma = torch.sigmoid(mean + std * torch.special.ndtri(uniform))
    elif scheme == "mode":
        sigma = 1 - uniform - mode_scale * (torch.cos(math.pi / 2 * uniform) ** 2 - 1 + uniform)
    elif scheme == "cosmap":
        sigma = 1 - 1 / (torch.tan(math.pi / 2 * uniform) + 1)
    elif scheme == "uniform":
        sigma = uniform
    else:
        raise ValueError(f"unknown sigma scheme {scheme!r}: logit_normal, mode, cosmap or uniform")
    if levels:
        sigma = (torch.ceil(sigma * levels) / levels).clamp(min=1 / levels)
    return shift_sigma(sigma, shift)


def add_noise(latents: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """x_sigma for latents and noise of shape (B, C, H, W) and sigmas of shape (B,)."""
    sigma = _as_factor(sigma)
    return (1 - sigma) * latents.float() + sigma * noise.float()


def velocity_target(latents: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """v = n - x_0, shape (B, C, H, W)."""
    return noise.float() - latents.float()


def loss_weight(sigma: torch.Tensor, weighting: LossWeighting) -> torch.Tensor:
    """w(sigma), shape (B,).

    `sigma_sqrt` is sigma^-2, which explodes at low noise; `cosmap` is 2 / (pi (1 - 2 sigma + 2 sigma^2)) (Esser et al.,
    section 3.1: training with it is sampling by `cosmap`); `none` is 1, right for sigmas that are sampled by a scheme.
    """
    sigma = sigma.float()
    if weighting == "sigma_sqrt":
        return sigma**-2
    if weighting == "cosmap":
        return 2 / (math.pi * (1 - 2 * sigma + 2 * sigma**2))
    if weighting == "none":
        return torch.ones_like(sigma)
    raise ValueError(f"unknown loss weighting {weighting!r}: none, sigma_sqrt or cosmap")


def flow_matching_loss(
    velocity: torch.Tensor,
    latents: torch.Tensor,
    noise: torch.Tensor,
    *,
    sigma: torch.Tensor | None = None,
    preconditioning: Preconditioning = "none",
) -> torch.Tensor:
    """Squared error of a predicted velocity, one unweighted value per sample, shape (B,).

    With `edm` preconditioning, x_0_hat = x_sigma - sigma v_hat is compared with x_0 instead. The error is then
    sigma^2 |v_hat - v|^2. This is the objective of diffusers' `--precondition_outputs`. It is not plain flow matching,
    and it almost ignores low noise.
    """
    if preconditioning == "edm":
        if sigma is None:
            raise ValueError("EDM-style preconditioning needs the noise levels")
        denoised = add_noise(latents, noise, sigma) - _as_factor(sigma) * velocity.float()
        return ((denoised - latents.float()) ** 2).flatten(1).mean(1)
    return ((velocity.float() - velocity_target(latents, noise)) ** 2).flatten(1).mean(1)


@dataclass(frozen=True, kw_only=True)
class FlowMatching:
    """One choice of the objective: how noise levels are drawn, and how errors are weighted."""

    scheme: SigmaScheme = "logit_normal"
    shift: float = 1.0
    mean: float = 0.0
    std: float = 1.0
    mode_scale: float = 1.29
    levels: int = 0
    weighting: LossWeighting = "none"
    preconditioning: Preconditioning = "none"

    def sigmas(self, uniform: torch.Tensor) -> torch.Tensor:
        """Noise levels for uniform draws, (B,): see `sample_sigmas`."""
        return sample_sigmas(
            uniform,
            self.scheme,
            self.shift,
            mean=self.mean,
            std=self.std,
            mode_scale=self.mode_scale,
            levels=self.levels,
        )

    def loss(
        self, velocity: torch.Tensor, *, latents: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor
    ) -> torch.Tensor:
        """Weighted loss of each sample, (B,)."""
        error = flow_matching_loss(velocity, latents, noise, sigma=sigma, preconditioning=self.preconditioning)
        return loss_weight(sigma, self.weighting) * error


def _as_factor(sigma: torch.Tensor) -> torch.Tensor:
    return sigma.float().view(-1, 1, 1, 1)
