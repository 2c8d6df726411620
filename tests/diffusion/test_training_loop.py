"""The DreamBooth loop: its loss worked by hand, its draws, its resume, and that it learns."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from stages.diffusion.latent_format import LatentFormat
from stages.diffusion.lora import save_lora
from stages.diffusion.training_loop import LoraTrainer, batch_loss, choose_samples, make_batch
from tests.conftest import ROOT
from tests.diffusion.tiny import encoded_set, tiny_transformer, train_params

FORMAT = LatentFormat(1.5, 0.1)


def train(raw: dict[str, Any], folder: Path, **changes: Any) -> tuple[LoraTrainer, str]:
    """Train the tiny transformer; returns the trainer and the LoRA's SHA-256."""
    trainer = LoraTrainer(tiny_transformer(), train_params(raw, **changes), folder / "checkpoints")
    trainer.run(encoded_set(5, 1), encoded_set(4, 2), FORMAT)
    return trainer, save_lora(trainer.transformer, folder / "lora")


def test_every_epoch_visits_each_sample_once() -> None:
    rows = [row for step in range(10) for row in choose_samples(0, "instance", step, 4, 8)]
    for epoch in range(5):
        assert Counter(rows[epoch * 8 : (epoch + 1) * 8]) == Counter(range(8))
    assert rows[:8] != rows[8:16]


def test_a_batch_holds_each_samples_own_caption_and_latents(raw_params: dict[str, Any]) -> None:
    data, settings = encoded_set(5, 1), train_params(raw_params)
    batch = make_batch(data, "instance", 3, 3, FORMAT, settings)
    for slot, row in enumerate(choose_samples(settings.seed, "instance", 3, 3, 5)):
        assert torch.equal(batch.embeds[slot], data.embeds[row % 2])
        # std is 0.1: the drawn latent stays within 6 standard deviations of its own mean.
        distances = (FORMAT.process_out(batch.latents[slot]) - data.mean[row]).abs().flatten(1).amax(1)
        assert distances.min() < 0.6


def test_every_view_of_a_sample_is_drawn_about_as_often(raw_params: dict[str, Any]) -> None:
    data, settings = encoded_set(5, 1), train_params(raw_params)
    drawn: Counter[int] = Counter()
    for step in range(100):
        batch = make_batch(data, "instance", step, 3, FORMAT, settings)
        for slot, row in enumerate(choose_samples(settings.seed, "instance", step, 3, 5)):
            distances = (FORMAT.process_out(batch.latents[slot]) - data.mean[row]).abs().flatten(1).amax(1)
            drawn[int(distances.argmin())] += 1
    # 300 fair draws: 5 standard deviations are 43.
    assert drawn.total() == 300 and abs(drawn[0] - 150) < 43


def test_the_loss_is_the_velocitys_mean_squared_error(raw_params: dict[str, Any]) -> None:
    transformer = tiny_transformer()
    batch = make_batch(encoded_set(5, 1), "instance", 0, 2, FORMAT, train_params(raw_params))
    for slot in range(2):
        sigma = batch.sigma[slot]
        noised = (1 - sigma) * batch.latents[slot] + sigma * batch.noise[slot]
        velocity = transformer(
            hidden_states=noised[None],
            timestep=sigma[None] * 1000,
            encoder_hidden_states=batch.embeds[slot][None],
            pooled_projections=batch.pooled[slot][None],
        ).sample[0]
        expected = ((velocity - (batch.noise[slot] - batch.latents[slot])) ** 2).mean()
        assert batch_loss(transformer, batch)[slot].item() == pytest.approx(expected.item(), rel=1e-4)


def test_training_lowers_the_loss_and_leaves_the_base_alone(raw_params: dict[str, Any], tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in tiny_transformer().state_dict().items()}
    trainer, _ = train(raw_params, tmp_path, steps=300, learning_rate=1e-2, ema_decay=0.0, class_batch_size=0)
    losses = [row["loss"] for row in trainer.curve]
    assert sum(losses[-30:]) < 0.9 * sum(losses[:30])
    after = {name.replace(".base_layer", ""): value for name, value in trainer.transformer.state_dict().items()}
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_the_same_seed_gives_the_same_file_and_another_seed_another(raw_params: dict[str, Any], tmp_path: Path) -> None:
    _, first = train(raw_params, tmp_path / "a")
    _, second = train(raw_params, tmp_path / "b")
    _, other = train(raw_params, tmp_path / "c", seed=1)
    assert first == second != other


def test_prior_preservation_enters_the_result(raw_params: dict[str, Any], tmp_path: Path) -> None:
    _, with_prior = train(raw_params, tmp_path / "a")
    _, without = train(raw_params, tmp_path / "b", class_batch_size=0)
    assert with_prior != without


def test_an_absurd_learning_rate_ends_in_a_sentence(raw_params: dict[str, Any], tmp_path: Path) -> None:
    trainer = LoraTrainer(tiny_transformer(), train_params(raw_params), tmp_path)
    for parameter in trainer.parameters:
        parameter.data.fill_(float("inf"))
    with pytest.raises(ValueError, match=r"at step 1: lower train\.learning_rate"):
        trainer.run(encoded_set(5, 1), None, FORMAT)


def test_unknown_target_modules_are_named(raw_params: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train\.target_modules = \['to_nowhere'\]"):
        LoraTrainer(tiny_transformer(), train_params(raw_params, target_modules=["to_nowhere"]), tmp_path)


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
import yaml
from stages.diffusion import training_loop
from tests.diffusion.test_training_loop import train
step, folder = int(sys.argv[1]), Path(sys.argv[2])
original = training_loop.LoraTrainer.step
def dying(self, instance, classes):
    if self.done == step:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, instance, classes)
training_loop.LoraTrainer.step = dying
train(yaml.safe_load(Path("params.yaml").read_text()), folder)
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 5, 11])
def test_a_killed_training_resumes_to_the_same_file(raw_params: dict[str, Any], tmp_path: Path, step: int) -> None:
    command = [sys.executable, "-c", KILLED_RUN, str(step), str(tmp_path / "killed")]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert killed.returncode == -9
    trainer, resumed = train(raw_params, tmp_path / "killed")
    whole, uninterrupted = train(yaml.safe_load((ROOT / "params.yaml").read_text()), tmp_path / "whole")
    assert resumed == uninterrupted
    assert [row["step"] for row in trainer.curve] == list(range(1, 13))
    assert trainer.curve == whole.curve
