"""The objective, against diffusers' own functions and formulas worked by hand."""

import math

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.training_utils import compute_density_for_timestep_sampling
from scipy import stats

from stages.diffusion.flow_matching import (
    add_noise,
    flow_matching_loss,
    sample_sigmas,
    shift_sigma,
    velocity_target,
)


def test_noising_is_the_line_between_image_and_noise() -> None:
    latents, noise = torch.full((3, 1, 2, 2), 2.0), torch.full((3, 1, 2, 2), -1.0)
    noised = add_noise(latents, noise, torch.tensor([0.0, 0.25, 1.0]))
    assert noised[:, 0, 0, 0].tolist() == pytest.approx([2.0, 0.75 * 2 - 0.25, -1.0])


def test_noising_matches_diffusers_scheduler() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0)
    latents, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    indices = torch.tensor([100, 700])
    expected = scheduler.scale_noise(latents, scheduler.timesteps[indices], noise)
    torch.testing.assert_close(add_noise(latents, noise, scheduler.sigmas[indices]), expected)


def test_velocity_is_the_derivative_of_the_noised_latents() -> None:
    latents, noise = torch.randn(2, 4, 4, 4).double(), torch.randn(2, 4, 4, 4).double()
    step = 1e-3
    ahead = add_noise(latents, noise, torch.full((2,), 0.5 + step))
    behind = add_noise(latents, noise, torch.full((2,), 0.5 - step))
    torch.testing.assert_close((ahead - behind) / (2 * step), velocity_target(latents, noise), atol=1e-3, rtol=1e-3)


def test_loss_of_the_true_velocity_is_zero_and_of_zero_velocity_is_its_mean_square() -> None:
    latents, noise = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    assert flow_matching_loss(noise - latents, latents, noise).tolist() == [0.0, 0.0, 0.0]
    expected = [float(((n - x) ** 2).mean()) for x, n in zip(latents, noise, strict=True)]
    assert flow_matching_loss(torch.zeros_like(latents), latents, noise).tolist() == pytest.approx(expected, rel=1e-5)


def test_logit_normal_sigmas_have_the_distribution_that_diffusers_draws() -> None:
    ours = sample_sigmas(torch.rand(4000, generator=torch.Generator().manual_seed(0)), "logit_normal").numpy()
    theirs = compute_density_for_timestep_sampling(
        "logit_normal", 4000, logit_mean=0.0, logit_std=1.0, generator=torch.Generator().manual_seed(1)
    ).numpy()
    assert stats.ks_2samp(ours, theirs).pvalue > 0.01
    assert stats.kstest(stats.norm.ppf(0.5) + stats.logistic.ppf(ours), "norm").pvalue > 0.01


def test_a_shift_of_three_puts_the_median_sigma_at_three_quarters() -> None:
    median = sample_sigmas(torch.tensor([0.5]), "logit_normal", shift=3.0)
    assert median.item() == pytest.approx(0.75)  # 3 * 0.5 / (1 + 2 * 0.5)


def test_shift_matches_the_schedule_that_diffusers_bakes_into_its_sigmas() -> None:
    plain = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0)
    shifted = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0)
    torch.testing.assert_close(shift_sigma(plain.sigmas, 3.0), shifted.sigmas)


def test_uniform_sigmas_stay_inside_the_open_interval() -> None:
    sigmas = sample_sigmas(torch.tensor([0.0, 0.3, 1.0]), "uniform")
    assert 0 < sigmas[0] < 1e-5 and math.isclose(sigmas[1], 0.3, rel_tol=1e-6) and 1 - 1e-5 < sigmas[2] < 1


def test_an_unknown_scheme_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="cosmic"):
        sample_sigmas(torch.tensor([0.5]), "cosmic")  # type: ignore[arg-type]
