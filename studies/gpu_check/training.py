"""Training steps by the pipeline's own trainer, on a random base."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from accelerate import Accelerator

from anomend.diffusion.lora import lora_layers, save_lora
from anomend.project.devices import resolve_device
from anomend.training.loop import LoraTrainer
from anomend.training.setup import end_together
from studies.gpu_check.clock import repeated
from studies.gpu_check.models import params_of, random_data, random_transformer, shapes_of

NO_EVALUATIONS: dict[str, Any] = {"every": 0, "patience": 0, "keep": "last", "detector": "none"}


def trainer_of(
    *,
    base: str,
    tokens: int,
    changes: dict[str, Any],
    tiny: bool,
    device: torch.device,
    checkpoints: Path,
    accelerator: Accelerator | None = None,
) -> LoraTrainer:
    """The trainer of a profile's recipe.

    Args:
        base: the profile.
        tokens: length of a text, both parts together.
        changes: to the profile's section `train`.
        tiny: shrunk shapes.
        device: what trains.
        checkpoints: their folder.
        accelerator: the processes; None: this one alone.
    """
    params = params_of(base, tiny, train={"monitor": NO_EVALUATIONS, "quantise_base": "none", **changes})
    shapes = shapes_of(base, tiny)
    return LoraTrainer(
        random_transformer(shapes, device),
        params.train,
        random_data(shapes, params.base.resolution, tokens),
        checkpoints=checkpoints,
        accelerator=accelerator or Accelerator(cpu=device.type == "cpu", mixed_precision="no"),
    )


def train(*, base: str, tokens: int, changes: dict[str, Any], tiny: bool, device: torch.device) -> dict[str, Any]:
    """Seconds and memory of an optimizer step."""
    with TemporaryDirectory() as folder:
        trainer = trainer_of(
            base=base, tokens=tokens, changes=changes, tiny=tiny, device=device, checkpoints=Path(folder)
        )
        trainer.model.train()
        settings = trainer.settings
        images = settings.batch_size + settings.class_batch_size
        costs = repeated(trainer.step, device)
        return {
            "seconds_per_step": costs.pop("seconds"),
            "images_per_step": images,
            **costs,
            "loss": trainer.progress.rows[-1]["loss"],
            "trainable_parameters": sum(parameter.numel() for parameter in trainer.weights.parameters),
            **settings.model_dump(
                include={"batch_size", "class_batch_size", "micro_batch_size", "rank"}
                | {"gradient_checkpointing", "compile"}
            ),
        }


def main() -> None:
    """Train to the end and save the LoRA; JSON names folder, profile, device, and changes to the recipe."""
    work = json.loads(sys.argv[1])
    folder, device = Path(work["folder"]), resolve_device(work["device"])
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="no")
    trainer = trainer_of(
        base=work["base"],
        tokens=work["tokens"],
        changes=work["changes"],
        tiny=work["tiny"],
        device=accelerator.device,
        checkpoints=folder / "checkpoints",
        accelerator=accelerator,
    )
    start, done = time.perf_counter(), trainer.progress.done
    trainer.run()
    seconds = (time.perf_counter() - start) / max(1, trainer.progress.done - done)
    layers = lora_layers(trainer.transformer)
    if accelerator.is_main_process:
        save_lora(trainer.transformer, folder / "lora", layers)
        (folder / "run.json").write_text(json.dumps({"resumed_after": done, "seconds_per_step": round(seconds, 4)}))
    end_together(accelerator)


if __name__ == "__main__":
    main()
