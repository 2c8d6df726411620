"""DiffusionNFT's objective: by hand, by automatic differentiation, and by its own closed form."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch

from anomend.training.negative_aware import (
    kl_loss,
    negative_aware_loss,
    norm_excess,
    norm_ratio,
    old_decay,
    optimality,
    spread,
)


def fields(seed: int, count: int = 3) -> list[torch.Tensor]:
    """Velocity in training, old velocity and target, float64 values in float32."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, 2, 3, 3, generator=generator) for _ in range(3)]


def squared_error(target: torch.Tensor) -> object:
    return lambda velocity: ((velocity - target) ** 2).flatten(1).mean(1)


def loss_of(
    velocity: torch.Tensor, old: torch.Tensor, target: torch.Tensor, r: list[float], beta: float
) -> torch.Tensor:
    return negative_aware_loss(
        velocity,
        old,
        error=squared_error(target),  # type: ignore[arg-type]
        optimality=torch.tensor(r),
        beta=beta,
    )


def gradient(
    velocity: torch.Tensor, old: torch.Tensor, target: torch.Tensor, r: list[float], beta: float
) -> torch.Tensor:
    moving = velocity.clone().requires_grad_()
    loss_of(moving, old, target, r, beta).sum().backward()
    assert moving.grad is not None
    return moving.grad


def test_the_loss_of_single_numbers_by_hand() -> None:
    # v_theta = 2, v_old = 1, v = 4, b = .5: v+ = 1.5, v- = .5; errors 6.25 and 12.25.
    one = torch.ones(1, 1, 1, 1)
    loss = loss_of(2 * one, one, 4 * one, [0.8], 0.5)
    assert loss.item() == pytest.approx(0.8 * 6.25 + 0.2 * 12.25)


def test_a_perfect_image_at_beta_one_is_flow_matching() -> None:
    velocity, old, target = fields(0)
    plain = velocity.clone().requires_grad_()
    ((plain - target) ** 2).flatten(1).mean(1).sum().backward()
    assert plain.grad is not None
    torch.testing.assert_close(gradient(velocity, old, target, [1.0] * 3, 1.0), plain.grad)
    torch.testing.assert_close(
        loss_of(velocity, old, target, [1.0] * 3, 1.0), ((velocity - target) ** 2).flatten(1).mean(1)
    )


@pytest.mark.parametrize("beta", [0.1, 1.0, 2.0])
def test_an_image_like_the_mean_moves_nothing_at_the_old_weights(beta: float) -> None:
    _, old, target = fields(1)
    torch.testing.assert_close(gradient(old, old, target, [0.5] * 3, beta), torch.zeros_like(old))


def test_the_worst_image_pushes_away_as_the_best_one_pulls() -> None:
    _, old, target = fields(2)
    pull, push = (gradient(old, old, target, [r] * 3, 1.0) for r in (1.0, 0.0))
    torch.testing.assert_close(push, -pull)


@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_the_minimum_is_the_one_that_calculus_gives(beta: float) -> None:
    """L is a parabola in v_theta. Its minimum by hand: v_old + (2 r - 1) (v - v_old) / b."""
    _, old, target = fields(3)
    r = [0.9, 0.5, -1.5]
    best = old + (2 * torch.tensor(r).view(-1, 1, 1, 1) - 1) * (target - old) / beta
    torch.testing.assert_close(gradient(best, old, target, r, beta), torch.zeros_like(old), atol=1e-6, rtol=0)
    assert (loss_of(best, old, target, r, beta) < loss_of(best + 0.1, old, target, r, beta)).all()


def test_the_tie_to_the_base_by_hand() -> None:
    velocity, base = torch.zeros(4, 1, 1, 2), torch.tensor([1.0, 3.0]).expand(4, 1, 1, 2)
    # The mean of 1 and 9, times sigma / (1 - sigma), which stops at 40.
    expected = [0.0, 5.0, 5.0 * 4, 5.0 * 40]
    assert kl_loss(velocity, base, torch.tensor([0.0, 0.5, 0.8, 1.0])).tolist() == pytest.approx(expected)


def test_optimality_by_hand() -> None:
    rewards, prompts = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0], ["a", "a", "a", "a", "b", "b"]
    # Means: a .25, b 1. The six have mean .5 and deviation .5: advantages 1.5, -.5, -.5, -.5, 0, 0.
    expected = [1.25, 0.25, 0.25, 0.25, 0.5, 0.5]
    assert optimality(torch.tensor(rewards), prompts).tolist() == pytest.approx(expected)


def test_few_wrong_images_weigh_as_much_as_the_many_right_ones_together() -> None:
    """Nine of ten right, deviation .3: advantages 1/3 and -3."""
    r = optimality(torch.tensor([1.0] * 9 + [0.0]), ["a"] * 10)
    assert r.tolist() == pytest.approx([2 / 3] * 9 + [-1.0])
    assert r.mean().item() == pytest.approx(0.5)


def test_few_right_images_weigh_as_much_as_the_many_wrong_ones_together() -> None:
    """One of ten right, deviation .3: advantages 3 and -1/3."""
    r = optimality(torch.tensor([1.0] + [0.0] * 9), ["a"] * 10)
    assert r.tolist() == pytest.approx([2.0] + [1 / 3] * 9)
    assert r.mean().item() == pytest.approx(0.5)


def test_a_single_image_of_many_has_a_limit() -> None:
    """One of 100 is otherwise, deviation .0995: 9.95 becomes 4."""
    assert optimality(torch.tensor([0.0] + [1.0] * 99), ["a"] * 100)[0].item() == -1.5
    assert optimality(torch.tensor([1.0] + [0.0] * 99), ["a"] * 100)[0].item() == 2.5


@pytest.mark.parametrize("right", [1, 2, 5, 8])
def test_with_the_right_beta_the_minimum_is_the_mean_of_the_right_images(right: int) -> None:
    """The gradient of L over all images of a prompt is 0 at the mean of the right ones' velocities towards them."""
    target, share = torch.randn(10, 2, 3, 3, generator=torch.Generator().manual_seed(1)), right / 10
    rewards = torch.tensor([1.0] * right + [0.0] * (10 - right))
    old, towards_right = target.mean(0).expand_as(target), target[:right].mean(0).expand_as(target)
    r, beta = optimality(rewards, ["a"] * 10).tolist(), (share / (1 - share)) ** 0.5
    assert gradient(towards_right, old, target, r, beta).sum(0).abs().max() < 1e-5
    assert gradient(old, old, target, r, beta).sum(0).abs().max() > 1e-2


def test_rewards_that_are_all_the_same_say_nothing() -> None:
    assert optimality(torch.ones(4), ["a", "a", "b", "b"]).tolist() == [0.5] * 4


def test_optimality_of_a_prompt_has_mean_one_half_unless_it_is_clipped() -> None:
    rewards = torch.tensor([0.3, 0.5, 0.4, 0.45, 0.6, 0.52])
    r = optimality(rewards, list("aabbaa"))
    assert r[[2, 3]].mean().item() == pytest.approx(0.5) and ((r >= -1.5) & (r <= 2.5)).all()
    # The order of the rewards stays.
    assert r[4] > r[1] > r[0]


def test_the_old_weights_follow_ever_more_slowly_up_to_a_limit() -> None:
    decays = [old_decay(rounds, growth=0.05, most=0.9) for rounds in (1, 2, 18, 60)]
    assert decays == pytest.approx([0.05, 0.1, 0.9, 0.9])


def test_a_velocity_that_is_no_longer_than_the_bases_costs_nothing() -> None:
    base = fields(4)[0]
    ratio = norm_ratio(torch.stack([base[0] * 0.7, base[1], base[2] * -1.2]), base)
    assert ratio.tolist() == pytest.approx([0.7, 1.0, 1.2])
    assert norm_excess(ratio).tolist() == pytest.approx([0.0, 0.0, 0.04], abs=1e-6)


def test_spread_is_the_root_mean_square_distance_of_all_pairs() -> None:
    latents = fields(5, count=6)[0]
    squares = [float(((a - b) ** 2).mean()) for a, b in combinations(latents, 2)]
    assert spread(latents) == pytest.approx(math.sqrt(sum(squares) / len(squares)), rel=1e-6)
    assert spread(latents[:1]) is None and spread(latents[:1].expand(4, -1, -1, -1)) == 0
