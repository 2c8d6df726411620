"""Trains the tiny transformer on however many processes it is launched on, for tests: OUT FOLDER, then JSON changes."""

from __future__ import annotations

import faulthandler
import json
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from anomend.diffusion.lora import lora_layers
from anomend.training.acceleration.blocks import blocks_of
from anomend.training.loop import LoraTrainer
from anomend.training.setup import end_together
from tests.diffusion.tiny import tiny_transformer, train_params, training_data
from tests.families.tiny_bases import tiny_training
from tests.training.reward_runs import rounds


class Sharding(Accelerator):
    """Shards as accelerate does for FSDP 2: accelerate on a GPU alone, torch on a CPU too."""

    def prepare(self, *args: Any, **_: Any) -> Any:
        for block in blocks_of(args[0]):
            fully_shard(block)
        return fully_shard(args[0])


def main() -> None:
    faulthandler.enable()
    out, changes = Path(sys.argv[1]), json.loads(sys.argv[2])
    stop = changes.pop("stop_after", None)
    dtype = getattr(torch, changes.pop("dtype", "float32"))
    accelerator = Sharding(cpu=True) if changes.pop("shard", False) else Accelerator(cpu=True)
    name = changes.pop("base", None)
    transformer, data = tiny_training(name) if name else (tiny_transformer(), training_data())
    settings = train_params(**changes)
    torch.set_num_threads(1)
    trainer = LoraTrainer(
        transformer.to(dtype),
        settings,
        data,
        checkpoints=out / "checkpoints",
        accelerator=accelerator,
        rounds=rounds(settings) if settings.by_rewards else None,
    )
    for _ in range(stop or 0):
        trainer.open_round()
        trainer.step()
    if stop:
        trainer.save()
        end_together(accelerator)
        return
    trainer.run()
    weights = {name: value.clone() for name, value in lora_layers(trainer.transformer).items()}
    sharded = any(isinstance(parameter, DTensor) for parameter in trainer.weights.parameters)
    (out / "sharded").write_text(str(sharded))
    save_file(weights, out / f"weights-{accelerator.process_index}.safetensors")
    (out / f"curve-{accelerator.process_index}.json").write_text(json.dumps(trainer.progress.rows))
    end_together(accelerator)


if __name__ == "__main__":
    main()
