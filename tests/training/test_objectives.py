"""The loss of a step, worked by hand on a tiny transformer."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from anomend.params.training import TrainParams
from anomend.training.data import CLASS, INSTANCE, TrainingData, choose_units, make_batch
from anomend.training.flow_matching import FlowMatching
from anomend.training.objectives import SIGMA_BINS, flow_matching, predict_velocity, step_sums
from anomend.training.preference import PairErrors, flow_dpo_loss, preference_accuracy
from tests.diffusion.tiny import FORMAT, encoded_set, tiny_transformer, train_params, training_data

FLOW = FlowMatching()


def velocities_by_hand(transformer: torch.nn.Module, batch: Any) -> list[torch.Tensor]:
    """v_hat of each sample alone, (1, C, h, w)."""
    velocities = []
    for slot in range(len(batch)):
        sigma = batch.sigma[slot]
        velocity = transformer(
            hidden_states=((1 - sigma) * batch.latents[slot] + sigma * batch.noise[slot])[None],
            timestep=sigma[None] * 1000,
            encoder_hidden_states=batch.texts["embeds"][slot][None],
            pooled_projections=batch.texts["pooled"][slot][None],
        ).sample
        velocities.append(velocity)
    return velocities


def errors_by_hand(transformer: torch.nn.Module, batch: Any) -> list[float]:
    """|v_hat - v|^2 of each sample alone."""
    return [
        float(((velocity[0].detach() - (batch.noise[slot] - batch.latents[slot])) ** 2).mean())
        for slot, velocity in enumerate(velocities_by_hand(transformer, batch))
    ]


def sums(settings: TrainParams, data: TrainingData, part: slice = slice(None), shift: float = 0.0) -> Any:
    """The step's sums of a part of its units; `shift` moves the model in training away from the base."""
    transformer = tiny_transformer()
    units = choose_units(
        data, seed=0, step=0, batch_size=settings.batch_size, class_batch_size=settings.class_batch_size
    )[part]
    batch = make_batch(data, units, seed=0, step=0, flow=FLOW)

    def predict(part: Any) -> torch.Tensor:
        return predict_velocity(transformer, part, torch.float32)

    step = step_sums(
        batch, predict=lambda part: predict(part) + shift, predict_base=predict, settings=settings, flow=FLOW
    )
    return step, batch, errors_by_hand(transformer, batch)


def test_the_loss_is_the_instance_mean_plus_the_weighted_class_mean() -> None:
    settings = train_params(prior_loss_weight=0.5)
    step, batch, errors = sums(settings, training_data())
    instance = [e for e, role in zip(errors, batch.role.tolist(), strict=True) if role == INSTANCE]
    prior = [e for e, role in zip(errors, batch.role.tolist(), strict=True) if role == CLASS]
    assert len(instance) == 3 and len(prior) == 2
    assert step.logged["loss"].item() == pytest.approx(sum(instance) / 3, rel=1e-4)
    assert step.logged["prior_loss"].item() == pytest.approx(sum(prior) / 2, rel=1e-4)
    assert step.loss.item() == pytest.approx(sum(instance) / 3 + 0.5 * sum(prior) / 2, rel=1e-4)


def test_parts_of_a_step_add_up_to_it() -> None:
    settings, data = train_params(), training_data()
    whole = sums(settings, data)[0]
    parts = [sums(settings, data, slice(place, None, 3))[0] for place in range(3)]
    assert sum(part.loss.item() for part in parts) == pytest.approx(whole.loss.item(), rel=1e-5)
    torch.testing.assert_close(sum(part.bins for part in parts), whole.bins)


def test_losses_are_summed_by_bin_of_sigma() -> None:
    step, batch, errors = sums(train_params(), training_data())
    expected = torch.zeros(2, SIGMA_BINS)
    for slot in range(3):
        place = min(int(float(batch.sigma[slot]) * SIGMA_BINS), SIGMA_BINS - 1)
        expected[0, place] += errors[slot]
        expected[1, place] += 1
    torch.testing.assert_close(step.bins, expected, rtol=1e-4, atol=1e-5)
    assert step.bins[1].sum() == 3


def test_preference_loss_of_an_untrained_model_is_log_2() -> None:
    data = TrainingData(encoded_set(5, 1), encoded_set(4, 2), FORMAT, encoded_set(6, 9))
    settings = train_params(method="dpo")
    step, _, errors = sums(settings, data)
    assert step.logged["dpo_loss"].item() == pytest.approx(math.log(2), rel=1e-5)
    winners = [errors[place] for place in (0, 2, 4)]
    weight = settings.dpo.instance_loss_weight
    expected = math.log(2) + weight * sum(winners) / 3 + step.logged["prior_loss"].item()
    assert step.loss.item() == pytest.approx(expected, rel=1e-4)


def test_preference_loss_by_hand() -> None:
    errors = PairErrors(
        winner=torch.tensor([0.5, 1.0]),
        winner_base=torch.tensor([0.7, 1.0]),
        loser=torch.tensor([1.1, 0.4]),
        loser_base=torch.tensor([1.0, 0.9]),
    )
    # First pair: winner better by .2, loser worse by .1 -> margin -.3; second: 0 and better by .5 -> margin .5.
    expected = [-math.log(1 / (1 + math.exp(-2 * 0.3))), -math.log(1 / (1 + math.exp(2 * 0.5)))]
    assert flow_dpo_loss(errors, beta=4.0).tolist() == pytest.approx(expected, rel=1e-5)
    assert preference_accuracy(errors).tolist() == [1.0, 0.0]


def test_preference_gradient_lowers_the_winners_error_and_raises_the_losers() -> None:
    winner, loser = torch.tensor([1.0], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    errors = PairErrors(winner=winner, winner_base=torch.ones(1), loser=loser, loser_base=torch.ones(1))
    flow_dpo_loss(errors, beta=2.0).sum().backward()
    # d/dw -log sigmoid(-beta/2 (w - l)) at w = l is beta/4.
    assert winner.grad is not None and loser.grad is not None
    assert winner.grad.item() == pytest.approx(0.5) and loser.grad.item() == pytest.approx(-0.5)


def test_the_loss_by_rewards_by_hand() -> None:
    data = replace(training_data(), optimality=torch.tensor([1.0, 0.25, 0.25, 0.9, 0.5]))
    settings = train_params(
        method="nft", prior_loss_weight=0.5, nft={"beta": 0.5, "kl_weight": 0.1, "norm_weight": 2.0}
    )
    transformer = tiny_transformer()
    units = choose_units(data, seed=0, step=0, batch_size=3, class_batch_size=2)
    batch = make_batch(data, units, seed=0, step=0, flow=FLOW)
    assert batch.optimality is not None and batch.optimality[3:].tolist() == [0, 0]
    base = torch.cat([one.detach() for one in velocities_by_hand(transformer, batch)])

    def old(part: Any) -> torch.Tensor:
        return predict_velocity(transformer, part, torch.float32) - 0.2

    step = step_sums(
        batch,
        predict=lambda part: 1.5 * predict_velocity(transformer, part, torch.float32),
        predict_base=lambda part: predict_velocity(transformer, part, torch.float32),
        predict_old=old,
        settings=settings,
        flow=FLOW,
    )
    expected, difference, tie = [], [], []
    for slot in range(5):
        target = batch.noise[slot] - batch.latents[slot]
        theta, before = 1.5 * base[slot], base[slot] - 0.2
        r = float(batch.optimality[slot])
        positive, negative = 0.5 * before + 0.5 * theta, 1.5 * before - 0.5 * theta
        expected.append(float(r * ((positive - target) ** 2).mean() + (1 - r) * ((negative - target) ** 2).mean()))
        difference.append(float(((0.5 * base[slot]) ** 2).mean()))
        sigma = float(batch.sigma[slot])
        tie.append(min(40, sigma / (1 - sigma)) * difference[-1])
    assert step.logged["loss"].item() == pytest.approx(sum(expected[:3]) / 3, rel=1e-4)
    assert step.logged["kl_loss"].item() == pytest.approx(sum(tie[:3]) / 3, rel=1e-4)
    assert step.logged["prior_loss"].item() == pytest.approx(sum(difference[3:]) / 2, rel=1e-4)
    assert step.logged["norm_ratio"].item() == pytest.approx(1.5, rel=1e-4)
    parts = sum(expected[:3]) / 3 + 0.1 * sum(tie[:3]) / 3 + 2 * 0.5**2 + 0.5 * sum(difference[3:]) / 2
    assert step.loss.item() == pytest.approx(parts, rel=1e-4)


def test_quirks_reach_the_objective() -> None:
    quirks = {"skip_latent_shift": False, "edm_preconditioning": True, "tabled_sigmas": True}
    flow = flow_matching(train_params(quirks=quirks))
    assert flow.preconditioning == "edm" and flow.levels == 1000
