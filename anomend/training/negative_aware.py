"""DiffusionNFT: learn from right and wrong images alike (Zheng et al. 2025, arXiv 2509.16117).

    v+ = (1 - b) v_old + b v_theta      v- = (1 + b) v_old - b v_theta
    L  = r |v+ - v|^2 + (1 - r) |v- - v|^2

v_theta is the velocity of the model in training, v_old that of the weights which drew the image, v the velocity towards
the image, and r its optimality: above 1/2 for a better image than its prompt's mean, below for a worse one. At b = 1
and r = 1 this is flow matching. At r = 1/2 the gradient is 0 where v_theta = v_old. For every r, L is a parabola in
v_theta with its minimum at v_old + (2 r - 1) (v - v_old) / b.

Where a share p of a prompt's images is right, with rewards 1 and 0, the mean of these minima is the velocity towards
the right images alone if b = sqrt(p / (1 - p)). A larger b stays between v_old and that one, a smaller b goes beyond.

Everything is pure: no weights, no global state, float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

MOST_ADVANTAGE = 4.0
"""In standard deviations, either way. A few images that are right, or wrong, unlike the others have a large one."""

MOST_NOISE_TO_SIGNAL = 40.0
"""Of a noise-to-signal ratio that weighs a loss. At sigma = 1 it is infinite."""


def negative_aware_loss(
    velocity: torch.Tensor,
    old: torch.Tensor,
    *,
    error: Callable[[torch.Tensor], torch.Tensor],
    optimality: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """L of each image, shape (B,).

    Args:
        velocity: v_theta, (B, C, h, w).
        old: v_old at the same noise and noise level, (B, C, h, w).
        error: maps velocities, (B, C, h, w), to their squared errors, (B,), such as `FlowMatching.loss`.
        optimality: r, (B,), at most 1.
        beta: b, above 0; the smaller it is, the further v_theta moves for the same images.
    """
    old, velocity = old.float(), velocity.float()
    positive = error((1 - beta) * old + beta * velocity)
    negative = error((1 + beta) * old - beta * velocity)
    return optimality * positive + (1 - optimality) * negative


def optimality(rewards: torch.Tensor, prompts: Sequence[str]) -> torch.Tensor:
    """r of each image of a set: 1/2 + 1/2 clip((reward - mean of its prompt) / standard deviation of the set, -4, 4).

    The paper clips at -1 and 1, so that r is from 0 to 1. That takes more from few images of one kind than from many of
    the other. Where most images of a prompt are right, what is left is a pull towards whatever is drawn, by which
    images grow alike; where most are wrong, a push away from whatever is drawn. Nothing in the loss asks for such an r.

    Args:
        rewards: (N,), the higher the better.
        prompts: the prompt of each image.

    Returns:
        (N,), float32, from -1.5 to 2.5. Images of a prompt that all have the same reward get 1/2: they say nothing.
    """
    rewards = rewards.double()
    advantages = torch.zeros_like(rewards)
    for prompt in set(prompts):
        rows = torch.tensor([each == prompt for each in prompts])
        advantages[rows] = rewards[rows] - rewards[rows].mean()
    deviation = rewards.std(correction=0)
    if deviation > 0:
        advantages /= deviation
    return (0.5 + 0.5 * advantages.clamp(-MOST_ADVANTAGE, MOST_ADVANTAGE)).float()


def kl_loss(velocity: torch.Tensor, base: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The tie to the base, of each image: min(sigma / (1 - sigma), 40) |velocity - base|^2, shape (B,).

    The paper's tie, its KL divergence from the base, weighs all noise levels alike. But composition is decided at high
    noise: where a person lies, how large, under which sky. Rewards ask for none in particular, and yet training settles
    on few, so that images grow alike. Anomalies are decided at less noise, where this tie leaves training free.

    Args:
        velocity: of the model in training, (B, C, h, w).
        base: of the base, at the same noise and noise level, (B, C, h, w).
        sigma: noise level of each image, (B,), from 0 to 1. Their noise-to-signal ratio, sigma / (1 - sigma), is the
            weight.
    """
    weight = (sigma / (1 - sigma)).clamp(max=MOST_NOISE_TO_SIGNAL)
    return weight * ((velocity.float() - base.float()) ** 2).flatten(1).mean(1)


def old_decay(rounds: int, *, growth: float, most: float) -> float:
    """How much of the old weights stays after a round: old <- decay * old + (1 - decay) * theta.

    Args:
        rounds: rounds that are done, from 1.
        growth: increase per round; early on, the old weights follow closely, so that learning is fast.
        most: the largest value, below 1; later on, they follow slowly, so that learning is stable.
    """
    return min(most, growth * rounds)


def norm_ratio(velocity: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """|velocity| / |reference| of each image, (B,): above 1 where training inflates the velocity."""
    norms = [each.float().flatten(1).norm(dim=1) for each in (velocity, reference)]
    return norms[0] / norms[1].clamp(min=1e-8)


def norm_excess(ratio: torch.Tensor) -> torch.Tensor:
    """A squared hinge on the ratio of norms, (B,): 0 up to 1, then (ratio - 1)^2.

    Rewards and preferences inflate velocities, and with them contrast and artefacts that no reward sees; a penalty on
    the excess alone costs no reward (NormGuard: Pan et al. 2026, arXiv 2606.27771).
    """
    return torch.relu(ratio - 1) ** 2


def spread(latents: torch.Tensor) -> float | None:
    """How far images of one prompt are from one another: root of the mean squared difference of two of them.

    It falls when a model draws the same picture again and again.

    Args:
        latents: (N, ...), of one prompt.

    Returns:
        In units of the latents, with expectation independent of N; None for fewer than two images.
    """
    if len(latents) < 2:
        return None
    # The mean over pairs of |a - b|^2 is twice the variance.
    return float((2 * latents.double().flatten(1).var(0, correction=1).mean()).sqrt())
