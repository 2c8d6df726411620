"""What is not finite ends training in one sentence that names it, and is never written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from anomend.diffusion.lora import lora_layers, save_lora
from anomend.training.checkpoints import load_checkpoint
from anomend.training.evaluations import Evaluation
from anomend.training.loop import LoraTrainer
from tests.diffusion.tiny import tiny_transformer, train_params, training_data

NAN = float("nan")


def trainer(folder: Path, dtype: torch.dtype = torch.float32) -> LoraTrainer:
    return LoraTrainer(
        tiny_transformer().to(dtype), train_params(), training_data(), checkpoints=folder / "checkpoints"
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_base_with_a_weight_that_is_not_finite_is_named(tmp_path: Path, dtype: torch.dtype) -> None:
    damaged = trainer(tmp_path, dtype)
    damaged.transformer.proj_out.bias.data[0] = NAN
    with pytest.raises(ValueError) as refused:
        damaged.run()
    said = str(refused.value)
    assert said.startswith("the loss is nan at step 1: the base's weight proj_out.bias is not finite; the base is dam")
    assert len(said.splitlines()) == 1


def test_a_gradient_that_is_not_finite_is_named_and_no_weight_takes_it(tmp_path: Path) -> None:
    diverging = trainer(tmp_path)
    for _ in range(4):
        diverging.step()
    diverging.save()
    before = diverging.weights.parameters[0].detach().clone()
    module = diverging.transformer.transformer_blocks[1].attn.to_q.lora_B["default"]
    module.weight.register_hook(lambda gradient: gradient * NAN)
    with pytest.raises(
        ValueError, match=r"gradient's norm is nan at step 5, first in .*1\.attn\.to_q\.lora_B\.weight: l"
    ):
        diverging.step()
    assert torch.equal(diverging.weights.parameters[0], before)
    checkpoint = load_checkpoint(tmp_path / "checkpoints")
    assert checkpoint and checkpoint[0] == 4


def test_a_factor_that_never_fits_ends_too(tmp_path: Path) -> None:
    diverging = trainer(tmp_path, torch.float16)
    weight = diverging.transformer.transformer_blocks[0].attn.to_q.lora_B["default"].weight
    weight.register_hook(lambda gradient: gradient + float("inf"))
    with pytest.raises(ValueError, match=r"gradient's norm is .* at step 1, first in"):
        diverging.run()


def test_weights_that_are_not_finite_replace_no_checkpoint_and_no_lora(tmp_path: Path) -> None:
    diverging = trainer(tmp_path)
    diverging.step()
    diverging.save()
    weight = diverging.transformer.transformer_blocks[0].attn.to_q.lora_A["default"].weight
    weight.data[0, 0] = NAN
    with pytest.raises(ValueError, match=r"the LoRA \(lora/0\) after step 1 is not finite"):
        diverging.save()
    assert load_checkpoint(tmp_path / "checkpoints")
    with pytest.raises(
        ValueError, match=r"the LoRA's weight transformer_blocks\.0\.attn\.to_q\.lora_A\.weight is not f"
    ):
        save_lora(diverging.transformer, tmp_path / "lora", lora_layers(diverging.transformer))
    assert not (tmp_path / "lora").exists()


def test_a_validation_loss_that_is_not_finite_is_never_the_best(tmp_path: Path) -> None:
    settings = train_params(monitor={"every": 2, "seeds_per_prompt": 1, "detector": "drawn_people", "keep": "best"})
    diverging = LoraTrainer(
        tiny_transformer(),
        settings,
        training_data(),
        checkpoints=tmp_path,
        evaluate=lambda transformer, processes: Evaluation(anomaly_rate=0.0, validation_loss=NAN),
    )
    with pytest.raises(ValueError, match="the validation loss is nan at step 2: lower"):
        diverging.run()
