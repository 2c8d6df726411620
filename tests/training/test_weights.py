"""The moving average, worked by hand, and which weights end up in the model."""

from __future__ import annotations

import pytest
import torch

from anomend.training.weights import TrainedWeights


def weights(value: float, ema_decay: float) -> tuple[torch.nn.Parameter, TrainedWeights]:
    parameter = torch.nn.Parameter(torch.tensor([value]))
    return parameter, TrainedWeights([parameter], ema_decay)


def set_to(parameter: torch.nn.Parameter, value: float) -> None:
    parameter.data.fill_(value)


def test_the_average_follows_quickly_at_first() -> None:
    parameter, trained = weights(0.0, 0.99)
    set_to(parameter, 1.0)
    trained.update_average(0)
    # The decay is (1 + 0) / (10 + 0) = .1: the average goes nine tenths of the way.
    assert trained.average[0].item() == pytest.approx(0.9)
    set_to(parameter, 2.0)
    trained.update_average(1)
    # 2 / 11 of .9, and 9 / 11 of 2.
    assert trained.average[0].item() == pytest.approx(2 / 11 * 0.9 + 9 / 11 * 2)


@pytest.mark.parametrize(("ema_decay", "saved"), [(0.5, 0.9), (0.0, 1.0)])
def test_what_would_be_saved_is_the_average_if_there_is_one(ema_decay: float, saved: float) -> None:
    parameter, trained = weights(0.0, ema_decay)
    set_to(parameter, 1.0)
    trained.update_average(0)
    with trained.as_saved():
        assert parameter.item() == pytest.approx(saved)
    assert parameter.item() == 1.0
    trained.remember_best()
    set_to(parameter, 5.0)
    trained.use_best()
    assert parameter.item() == pytest.approx(saved)


def test_all_weights_survive_a_checkpoint() -> None:
    parameter, before = weights(1.0, 0.5)
    before.remember_best()
    set_to(parameter, 3.0)
    before.update_average(0)
    other, after = weights(0.0, 0.5)
    after.restore(before.tensors())
    assert other.item() == 3.0
    assert torch.equal(after.average[0], before.average[0]) and torch.equal(after.best[0], before.best[0])


def test_the_old_weights_follow_by_their_decay_and_survive_a_checkpoint() -> None:
    parameter = torch.nn.Parameter(torch.tensor([1.0]))
    trained = TrainedWeights([parameter], 0.0, with_old=True)
    set_to(parameter, 3.0)
    with trained.as_old():
        assert parameter.item() == 1.0
    assert parameter.item() == 3.0
    trained.update_old(0.25)
    # .25 of 1 and .75 of 3.
    assert trained.old[0].item() == pytest.approx(2.5)
    other = TrainedWeights([torch.nn.Parameter(torch.zeros(1))], 0.0, with_old=True)
    other.restore(trained.tensors())
    assert other.old[0].item() == pytest.approx(2.5)
    assert not any(name.startswith("old") for name in weights(1.0, 0.0)[1].tensors())
