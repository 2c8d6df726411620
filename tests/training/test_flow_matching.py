"""The objective, against diffusers' own functions and formulas worked by hand."""

import math

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.training_utils import compute_density_for_timestep_sampling, compute_loss_weighting_for_sd3
from scipy import stats

from anomend.training.flow_matching import (
    FlowMatching,
    LossWeighting,
    SigmaScheme,
    add_noise,
    flow_matching_loss,
    loss_weight,
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


def test_mode_sigmas_are_those_that_diffusers_draws() -> None:
    generator = torch.Generator().manual_seed(4)
    expected = compute_density_for_timestep_sampling("mode", 500, mode_scale=1.29, generator=generator)
    uniform = torch.rand(500, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(sample_sigmas(uniform, "mode"), expected)


def test_cosmap_sigmas_have_the_density_of_the_cosmap_weight() -> None:
    sigmas = sample_sigmas(torch.rand(20000, generator=torch.Generator().manual_seed(1)), "cosmap").sort().values
    # The density 2 / (pi (1 - 2 s + 2 s^2)) integrates to 1/2 + 2/pi atan(2 s - 1) (worked by hand).
    expected = 0.5 + 2 / math.pi * torch.atan(2 * sigmas - 1)
    empirical = (torch.arange(20000) + 0.5) / 20000
    # Kolmogorov's distance of 20,000 draws exceeds 1.95 / sqrt(n) = 0.0138 once in a thousand.
    assert float((expected - empirical).abs().max()) < 0.0138


def test_a_scheme_is_sampled_or_weighted_to_the_same_expectation() -> None:
    grid = (torch.arange(200000) + 0.5) / 200000
    sampled = sample_sigmas(grid, "cosmap")
    weighted = float((loss_weight(grid, "cosmap") * grid**2).mean())
    assert float((sampled**2).mean()) == pytest.approx(weighted, rel=1e-3)


@pytest.mark.parametrize("weighting", ["none", "sigma_sqrt", "cosmap"])
def test_loss_weights_are_those_of_diffusers(weighting: LossWeighting) -> None:
    sigmas = torch.linspace(0.02, 0.99, 50)
    torch.testing.assert_close(loss_weight(sigmas, weighting), compute_loss_weighting_for_sd3(weighting, sigmas))


def test_edm_preconditioning_weights_the_velocity_error_by_sigma_squared() -> None:
    latents, noise, velocity = (torch.randn(4, 2, 4, 4) for _ in range(3))
    sigma = torch.tensor([0.1, 0.4, 0.7, 1.0])
    expected = sigma**2 * ((velocity - (noise - latents)) ** 2).flatten(1).mean(1)
    errors = flow_matching_loss(velocity, latents, noise, sigma=sigma, preconditioning="edm")
    torch.testing.assert_close(errors, expected, rtol=1e-4, atol=1e-6)


def test_tabled_sigmas_are_entries_of_the_schedulers_table() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0)
    sigmas = sample_sigmas(torch.rand(300), "logit_normal", shift=3.0, levels=1000)
    nearest = (sigmas[:, None] - scheduler.sigmas[None, :1000]).abs().amin(1)
    assert float(nearest.max()) < 1e-6 and float(sigmas.max()) <= 1


@pytest.mark.parametrize("scheme", ["logit_normal", "mode", "cosmap", "uniform"])
def test_every_scheme_rises_or_falls_with_the_draw_and_stays_in_range(scheme: SigmaScheme) -> None:
    sigmas = sample_sigmas(torch.linspace(0, 1, 200), scheme)
    steps = sigmas[1:] - sigmas[:-1]
    assert (steps >= -1e-6).all() or (steps <= 1e-6).all()
    assert float(sigmas.min()) >= 0 and float(sigmas.max()) <= 1


def test_the_objective_is_weight_times_error() -> None:
    latents, noise, velocity = (torch.randn(3, 2, 4, 4) for _ in range(3))
    sigma = torch.tensor([0.2, 0.5, 0.9])
    flow = FlowMatching(weighting="sigma_sqrt", preconditioning="edm")
    # sigma^-2 undoes the preconditioning's sigma^2.
    expected = ((velocity - (noise - latents)) ** 2).flatten(1).mean(1)
    torch.testing.assert_close(
        flow.loss(velocity, latents=latents, noise=noise, sigma=sigma), expected, rtol=1e-4, atol=1e-6
    )
