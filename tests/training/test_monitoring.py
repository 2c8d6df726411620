"""The anomaly rate and the validation loss of an evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from anomend.training.flow_matching import FlowMatching
from anomend.training.monitoring import shared_anomaly_rate, validation_batches, validation_loss
from tests.diffusion.tiny import tiny_transformer, training_data


def test_the_anomaly_rate_counts_every_request_once() -> None:
    requests = [("a", seed) for seed in range(10)]
    images = {seed: np.full((2, 2, 3), seed, np.uint8) for seed in range(10)}
    rate, sampled = shared_anomaly_rate(
        requests,
        sample=lambda share: [images[seed] for _, seed in share],
        detect=lambda pictures: [int(picture[0, 0, 0]) >= 7 for picture in pictures],
        accelerator=Accelerator(cpu=True),
    )
    assert rate == pytest.approx(0.3) and len(sampled) == 10


def test_the_validation_loss_is_the_same_at_every_evaluation_and_covers_the_noise_levels() -> None:
    data, flow, transformer = training_data(), FlowMatching(scheme="uniform"), tiny_transformer()
    batches = validation_batches(data, flow, draws=40, seed=0, batch_size=16)
    again = validation_batches(data, flow, draws=40, seed=0, batch_size=7)
    first, second = (validation_loss(transformer, fixed, flow) for fixed in (batches, again))
    assert first == pytest.approx(second, rel=1e-5)
    sigmas = torch.cat([batch.sigma for batch in batches]).sort().values
    assert len(sigmas) == 40 and float((sigmas[1:] - sigmas[:-1]).max()) < 3 / 40
    assert validation_loss(transformer, [], flow) is None


@pytest.mark.parametrize("draws", [8, 64, 1000])
def test_no_draw_decides_the_validation_loss_where_low_noise_weighs_most(draws: int) -> None:
    flow = FlowMatching(scheme="logit_normal", shift=2.5, weighting="sigma_sqrt")
    batches = validation_batches(training_data(), flow, draws=draws, seed=0, batch_size=16)
    weights = torch.cat([batch.sigma for batch in batches]) ** -2
    assert float(weights.max() / weights.sum()) < 0.4


def test_the_noise_levels_are_the_middles_of_equal_shares() -> None:
    batches = validation_batches(training_data(), FlowMatching(scheme="uniform"), draws=5, seed=0, batch_size=2)
    sigmas = torch.cat([batch.sigma for batch in batches])
    torch.testing.assert_close(sigmas.sort().values, torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9]))
    assert sigmas.tolist() != sigmas.sort().values.tolist()
