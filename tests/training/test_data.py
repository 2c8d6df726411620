"""The samples of a step: their views, captions and noise."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import torch

from anomend.training.data import (
    CLASS,
    INSTANCE,
    LOSER,
    TrainingData,
    choose_samples,
    choose_units,
    make_batch,
)
from anomend.training.flow_matching import FlowMatching
from tests.diffusion.tiny import FORMAT, encoded_set, training_data

FLOW = FlowMatching()


def distances(latents: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
    """Largest difference of a latent from each view's mean, (views,)."""
    return (FORMAT.process_out(latents) - means).abs().flatten(1).amax(1)


def test_every_epoch_visits_each_sample_once() -> None:
    rows = [row for step in range(10) for row in choose_samples("instance", seed=0, step=step, batch_size=4, count=8)]
    for epoch in range(5):
        assert Counter(rows[epoch * 8 : (epoch + 1) * 8]) == Counter(range(8))
    assert rows[:8] != rows[8:16]


def test_a_batch_has_the_caption_and_latents_of_each_sample() -> None:
    data = training_data()
    units = choose_units(data, seed=0, step=3, batch_size=3, class_batch_size=2)
    batch = make_batch(data, units, seed=0, step=3, flow=FLOW)
    assert batch.role.tolist() == [INSTANCE] * 3 + [CLASS] * 2
    for place, (draw,) in enumerate(units):
        encoded = data.of(draw.role)
        for name, values in encoded.texts.items():
            assert torch.equal(batch.texts[name][place], values[draw.row % 2])
        # std is 0.1: the drawn latent stays within 6 standard deviations of its own mean.
        assert distances(batch.latents[place], encoded.mean[draw.row]).min() < 0.6


def test_every_view_of_a_sample_is_drawn_about_as_often() -> None:
    data = training_data()
    drawn: Counter[int] = Counter()
    for step in range(100):
        units = choose_units(data, seed=0, step=step, batch_size=3, class_batch_size=0)
        batch = make_batch(data, units, seed=0, step=step, flow=FLOW)
        for place, (draw,) in enumerate(units):
            drawn[int(distances(batch.latents[place], data.instance.mean[draw.row]).argmin())] += 1
    # 300 fair draws: 5 standard deviations are 43.
    assert drawn.total() == 300 and abs(drawn[0] - 150) < 43


def test_a_batch_in_parts_is_the_batch() -> None:
    data = training_data()
    units = choose_units(data, seed=7, step=2, batch_size=4, class_batch_size=2)
    whole = make_batch(data, units, seed=7, step=2, flow=FLOW)
    parts = [make_batch(data, units[place::3], seed=7, step=2, flow=FLOW) for place in range(3)]
    for place in range(3):
        for name in ("latents", "noise", "sigma", "role"):
            assert torch.equal(getattr(parts[place], name), getattr(whole, name)[place::3])
        for name, values in whole.texts.items():
            assert torch.equal(parts[place].texts[name], values[place::3])


def test_another_step_and_another_seed_draw_other_noise() -> None:
    data = training_data()
    batches = [
        make_batch(
            data, choose_units(data, seed=s, step=t, batch_size=2, class_batch_size=0), seed=s, step=t, flow=FLOW
        )
        for s, t in ((0, 0), (0, 1), (1, 0))
    ]
    assert len({float(batch.noise.sum()) for batch in batches}) == 3


def test_noise_is_standard_normal_and_latents_come_from_the_posterior() -> None:
    data = training_data()
    batches = [
        make_batch(
            data, choose_units(data, seed=0, step=step, batch_size=5, class_batch_size=0), seed=0, step=step, flow=FLOW
        )
        for step in range(60)
    ]
    noise = torch.cat([batch.noise for batch in batches])
    # 300 samples of 64 values: the standard error of the mean is 0.007, of the deviation 0.005.
    assert abs(float(noise.mean())) < 0.035 and abs(float(noise.std()) - 1) < 0.025


def test_a_winner_is_paired_with_a_loser_of_its_caption_at_the_same_noise() -> None:
    losers = replace(encoded_set(6, 9), ids=[f"loser-{row}" for row in range(6)])
    data = TrainingData(instance=encoded_set(5, 1), classes=encoded_set(4, 2), latent_format=FORMAT, losers=losers)
    units = choose_units(data, seed=0, step=4, batch_size=5, class_batch_size=2)
    batch = make_batch(data, units, seed=0, step=4, flow=FLOW)
    assert batch.role.tolist() == [INSTANCE, LOSER] * 5 + [CLASS] * 2
    for pair in range(5):
        winner, loser = 2 * pair, 2 * pair + 1
        assert torch.equal(batch.noise[winner], batch.noise[loser]) and batch.sigma[winner] == batch.sigma[loser]
        assert not torch.equal(batch.latents[winner], batch.latents[loser])
        captions = [draw.row % 2 for draw in units[pair]]
        assert captions[0] == captions[1]


def test_captions_of_your_own_are_paired_by_the_prompt() -> None:
    """As with `encode.one_caption`, or captions next to the pictures: no loser has such a caption."""
    losers = replace(encoded_set(6, 9), ids=[f"loser-{row}" for row in range(6)])
    own = replace(
        encoded_set(5, 1),
        captions=["Anna lying on the grass", "lying on the grass/street"],
        prompts=["lying on the grass"] * 3 + ["lying on the street"] + ["Anna in bed"],
    )
    data = TrainingData(instance=own, classes=None, latent_format=FORMAT, losers=losers)
    partners: dict[int, set[str]] = {row: set() for row in range(5)}
    for step in range(40):
        units = choose_units(data, seed=0, step=step, batch_size=5, class_batch_size=0)
        batch = make_batch(data, units, seed=0, step=step, flow=FLOW)
        for pair, (winner, loser) in enumerate(units):
            partners[winner.row].add(losers.prompts[loser.row])
            # Both are predicted for the winner's caption.
            for name, expected in own.texts.items():
                assert torch.equal(batch.texts[name][2 * pair], expected[winner.row % 2])
                assert torch.equal(batch.texts[name][2 * pair + 1], expected[winner.row % 2])
    grass, street = {"lying on the grass"}, {"lying on the street"}
    assert partners == {0: grass, 1: grass, 2: grass, 3: street, 4: grass | street}
