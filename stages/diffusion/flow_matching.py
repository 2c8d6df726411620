"""Rectified flow as Stable Diffusion 3 trains it (Esser et al. 2024, arXiv 2403.03206, sections 2 and 3.1).

    x_sigma = (1 - sigma) x_0 + sigma n        noising, sigma in [0, 1], n standard normal
    v       = d x_sigma / d sigma = n - x_0    velocity, what the transformer predicts
    L       = w(sigma) |v_hat - v|^2           per sample, mean over the latents' elements

Everything is pure: no weights, no global state, float32.
"""

from __future__ import annotations

from typing import Literal

import torch

SigmaScheme = Literal["logit_normal", "uniform"]


def shift_sigma(sigma: torch.Tensor, shift: float) -> torch.Tensor:
    """Move sigmas towards noise: shift * sigma / (1 + (shift - 1) sigma) (Esser et al., eq. 23); 1 changes nothing."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def sample_sigmas(
    uniform: torch.Tensor, scheme: SigmaScheme, shift: float = 1.0, mean: float = 0.0, std: float = 1.0
) -> torch.Tensor:
    """Turn uniform draws into sigmas.

    Args:
        uniform: draws in (0, 1), shape (B,).
        scheme: 'logit_normal' puts most draws in the middle (Esser et al., eq. 19), 'uniform' spreads them evenly.
        shift: timestep shift applied afterwards; Stable Diffusion 3 samples with 3 at 1024 x 1024.
        mean: location of the logit-normal; above 0 favours noise.
        std: scale of the logit-normal.

    Returns:
        Sigmas in (0, 1), shape (B,), float32.
    """
    uniform = uniform.float().clamp(1e-6, 1 - 1e-6)
    if scheme == "logit_normal":
        sigma = torch.sigmoid(mean + std * torch.special.ndtri(uniform))
    elif scheme == "uniform":
        sigma = uniform
    else:
        raise ValueError(f"unknown sigma scheme {scheme!r}: logit_normal or uniform")
    return shift_sigma(sigma, shift)


def add_noise(latents: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """x_sigma for latents and noise of shape (B, C, H, W) and sigmas of shape (B,)."""
    sigma = sigma.float().view(-1, 1, 1, 1)
    return (1 - sigma) * latents.float() + sigma * noise.float()


def velocity_target(latents: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """v = n - x_0, shape (B, C, H, W)."""
    return noise.float() - latents.float()


def flow_matching_loss(velocity: torch.Tensor, latents: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Squared error of a predicted velocity, one value a sample, shape (B,); weights are the caller's."""
    return ((velocity.float() - velocity_target(latents, noise)) ** 2).flatten(1).mean(1)
