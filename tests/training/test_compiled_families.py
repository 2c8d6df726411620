"""`train.compile: blocks` trains each further family as eager training does; seconds per family."""

from __future__ import annotations

from pathlib import Path
from types import MethodType

import pytest
import torch
from torch._dynamo.utils import counters

from anomend.diffusion.lora import lora_layers
from anomend.training.acceleration.blocks import blocks_of
from anomend.training.loop import LoraTrainer
from tests.diffusion.tiny import compiles, train_params
from tests.families.tiny_bases import BASES, tiny_training

pytestmark = [pytest.mark.slow, compiles, pytest.mark.usefixtures("no_code_generator")]

MODULES = ["to_q", "to_k", "to_v", "to_out.0"]


def trained(name: str, folder: Path, way: str) -> LoraTrainer:
    """Two steps of three instance and two class images."""
    transformer, data = tiny_training(name)
    settings = train_params(compile=way, steps=2, checkpoint_every=2, warmup_steps=0, target_modules=MODULES)
    trainer = LoraTrainer(transformer, settings, data, checkpoints=folder / way)
    trainer.run()
    return trainer


@pytest.mark.parametrize("name", BASES)
def test_two_steps_by_compiled_blocks_are_those_of_eager_training(name: str, tmp_path: Path) -> None:
    plain = trained(name, tmp_path, "none")
    start = {key: value.clone() for key, value in lora_layers(tiny_adapter(name, tmp_path)).items()}
    counters.clear()
    compiled = trained(name, tmp_path, "blocks")
    assert all(isinstance(block.forward, MethodType) for block in blocks_of(compiled.transformer))
    assert counters["stats"]["unique_graphs"] >= 1 and not counters["graph_break"]
    expected = lora_layers(plain.transformer)
    torch.testing.assert_close(lora_layers(compiled.transformer), expected, atol=1e-4, rtol=1e-3)
    assert any(not torch.equal(expected[key], value) for key, value in start.items())


def tiny_adapter(name: str, folder: Path) -> torch.nn.Module:
    """The adapter as training begins with it."""
    transformer, data = tiny_training(name)
    settings = train_params(steps=2, checkpoint_every=2, target_modules=MODULES)
    trainer = LoraTrainer(transformer, settings, data, checkpoints=folder / "start")
    return trainer.transformer
