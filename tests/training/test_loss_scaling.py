"""A base in float16 trains as in float32, is resumed exactly, and other precisions are left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from anomend.diffusion.embeddings import EncodedSet
from anomend.diffusion.lora import save_lora
from anomend.training import gradients
from anomend.training.data import TrainingData
from anomend.training.loop import LoraTrainer
from anomend.training.loss_scaling import FIRST_FACTOR, LossScaling
from tests.clones import run
from tests.conftest import ROOT
from tests.diffusion.tiny import FORMAT, tiny_transformer, train_params, training_data

SIDE, CHANNELS = 32, 16
SMALLER = (4 * 128 * 128) // SIDE**2
"""How much smaller gradients are in a batch of four latents of 1024-px images than in one latent of the test."""


def larger_latents() -> TrainingData:
    generator = torch.Generator().manual_seed(1)
    instance = EncodedSet(
        ids=["0.png", "1.png"],
        mean=torch.randn(2, 1, CHANNELS, SIDE, SIDE, generator=generator),
        std=torch.full((2, 1, CHANNELS, SIDE, SIDE), 0.1),
        caption=torch.tensor([0, 1]),
        captions=["lying on the grass", "lying on the street"],
        texts={
            "embeds": torch.randn(2, 3, 16, generator=generator),
            "pooled": torch.randn(2, 8, generator=generator),
        },
        prompts=[("lying on the grass", "lying on the street")[index % 2] for index in range(2)],
    )
    return TrainingData(instance, None, FORMAT)


def gradient(dtype: torch.dtype, folder: Path, monkeypatch: pytest.MonkeyPatch, *, scaled: bool = True) -> torch.Tensor:
    """The LoRA's gradient in a step whose gradients are as small as those of 1024-px latents."""
    shape = {"sample_size": SIDE, "pos_embed_max_size": SIDE, "in_channels": CHANNELS, "out_channels": CHANNELS}
    settings = train_params(batch_size=1, class_batch_size=0)
    base = tiny_transformer(**shape).to(dtype)
    trainer = LoraTrainer(base, settings, larger_latents(), checkpoints=folder)
    if not scaled:
        trainer.gradients.scaling = LossScaling(torch.float32, torch.device("cpu"))
    flat = trainer.weights.parameters[0]
    flat.data.copy_(0.1 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0)))
    whole = gradients.step_sums

    def smaller(*args: Any, **kwargs: Any) -> gradients.StepSums:
        sums = whole(*args, **kwargs)
        return replace(sums, loss=sums.loss / SMALLER)

    taken: list[torch.Tensor] = []
    with monkeypatch.context() as patch:
        patch.setattr(gradients, "step_sums", smaller)
        patch.setattr(trainer.optimizer, "step", lambda: taken.append(flat.grad.clone()))  # type: ignore[union-attr]
        trainer.step()
    return taken[0]


@pytest.mark.filterwarnings("ignore:Seems like")
def test_the_gradient_in_float16_is_that_of_float32_where_gradients_are_as_small_as_at_1024_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = gradient(torch.float32, tmp_path, monkeypatch)
    scaled = gradient(torch.float16, tmp_path, monkeypatch)
    plain = gradient(torch.float16, tmp_path, monkeypatch, scaled=False)
    assert torch.nn.functional.cosine_similarity(exact, scaled, dim=0) > 0.9999
    assert float(scaled.norm() / exact.norm()) == pytest.approx(1, abs=1e-3)
    assert torch.nn.functional.cosine_similarity(exact, plain, dim=0) < 0.998


def half(folder: Path, **changes: Any) -> LoraTrainer:
    return LoraTrainer(
        tiny_transformer().half(), train_params(**changes), training_data(), checkpoints=folder / "checkpoints"
    )


def finished(trainer: LoraTrainer, folder: Path) -> str:
    trainer.run()
    return save_lora(trainer.transformer, folder / "lora")


def test_a_factor_that_overflows_is_lowered_and_no_step_is_left_out(tmp_path: Path) -> None:
    usual, overflowing = half(tmp_path / "a"), half(tmp_path / "b")
    overflowing.gradients.scaling.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, enabled=True)
    overflowing.run()
    usual.run()
    assert overflowing.gradients.scaling.scaler.get_scale() < 2.0**40
    assert [row["step"] for row in overflowing.progress.rows] == list(range(1, 13))
    for name in ("loss", "gradient_norm"):
        assert [row[name] for row in overflowing.progress.rows] == pytest.approx(
            [row[name] for row in usual.progress.rows], rel=1e-2
        )
    assert usual.gradients.scaling.scaler.get_scale() == FIRST_FACTOR


KILLED_RUN = """
import os, signal, sys, torch
from pathlib import Path
from anomend.training import loop
from tests.training.test_loss_scaling import finished, half
folder, original = Path(sys.argv[1]), loop.LoraTrainer.step
def dying(self):
    if self.progress.done == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self)
loop.LoraTrainer.step = dying
trainer = half(folder)
trainer.gradients.scaling.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, growth_interval=3)
finished(trainer, folder)
"""


def test_a_training_in_float16_that_is_killed_resumes_to_the_same_file(tmp_path: Path) -> None:
    killed = run(ROOT, "python", "-c", KILLED_RUN, str(tmp_path / "killed"), check=False)
    assert killed.returncode == -9, killed.stderr

    def every_three_steps(folder: Path, first_factor: float) -> LoraTrainer:
        trainer = half(folder, checkpoint_every=50)
        trainer.gradients.scaling.scaler = torch.amp.GradScaler("cpu", init_scale=first_factor, growth_interval=3)
        return trainer

    whole = every_three_steps(tmp_path / "whole", 2.0**40)
    expected = finished(whole, tmp_path / "whole")
    # The checkpoint is of step 4: one step after the factor grew, so that its history counts too.
    resumed = half(tmp_path / "killed")
    scale, steps = resumed.gradients.scaling.tensors()["loss_scaling"].tolist()
    resumed.gradients.scaling.scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=3)
    resumed.gradients.scaling.restore({"loss_scaling": torch.tensor([scale, steps])})
    assert resumed.progress.done == 4 and scale < 2.0**40
    assert finished(resumed, tmp_path / "killed") == expected
    assert resumed.progress.rows == whole.progress.rows
    assert torch.equal(
        resumed.gradients.scaling.tensors()["loss_scaling"], whole.gradients.scaling.tensors()["loss_scaling"]
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_precisions_are_left_alone(dtype: torch.dtype) -> None:
    scaling, loss = LossScaling(dtype, torch.device("cpu")), torch.tensor(0.3, requires_grad=True)
    assert scaling.scaled(loss) is loss and scaling.tensors() == {} and not scaling.lowered()
    scaling.restore({})
