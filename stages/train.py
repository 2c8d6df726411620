"""Stage `train`: fine-tune a LoRA on the instance images, with prior preservation, on one process or many."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from anomend.detectors.table import make_detector
from anomend.diffusion.base_models import (
    BASE_MODELS,
    fingerprint,
    resolve_device,
)
from anomend.diffusion.embeddings import load_texts
from anomend.diffusion.lora import lora_layers, save_lora
from anomend.exporting.lora_card import lora_card
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.project.metric_files import METRICS, library_versions, write_metrics
from anomend.project.run import run_stage
from anomend.training.log import TrainingLog
from anomend.training.loop import LoraTrainer
from anomend.training.monitoring import Image
from anomend.training.setup import (
    end_together,
    load_trained_parts,
    load_training_data,
    make_accelerator,
    make_draw,
    make_look,
    reload_difference,
)

LORA, ENCODED, CHECKPOINTS = Path("models/lora"), Path("data/encoded"), Path(".checkpoints/train")
CURVES = METRICS / "training"
_LAUNCHED = "ANOMEND_TRAIN_LAUNCHED"


def run_key(params: Params, base: str) -> str:
    """Names the run: equal for equal parameters, data, base and code, so that only its own checkpoints are resumed."""
    sample = params.sample.model_dump(include={"steps", "guidance_scale", "batch_size"})
    settings = params.train.model_dump(exclude={"launcher"}) | {"sample": sample, "target": params.prompts.target}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(base.encode() + params.base.dtype.encode())
    for path in [*sorted(ENCODED.glob("*.safetensors")), *sorted(Path("anomend/diffusion").glob("*.py"))]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def write_lora(
    params: Params, trainer: LoraTrainer, layers: Mapping[str, torch.Tensor], weights: str
) -> dict[str, Any]:
    """LoRA and model card; returns the figures of train.json."""
    settings, progress = params.train, trainer.progress
    prior = "prior_loss" in progress.columns
    sha256 = save_lora(trainer.transformer, LORA, layers)
    images = len(trainer.data.instance)
    card = lora_card(params, BASE_MODELS[params.base.name], base_weights=weights, instance_images=images)
    (LORA / "README.md").write_text(card)
    best = progress.looks.best
    kept = progress.looks.steps[best] if settings.monitor.keep == "best" and best is not None else progress.done
    figures: dict[str, Any] = {
        "lora_sha256": sha256,
        "steps": progress.done,
        "kept_step": kept,
        "stopped_early": progress.done < settings.steps,
        "train_seed": settings.seed,
        "loss_last_tenth": round(progress.mean_of_last("loss"), 6),
        "prior_loss_last_tenth": round(progress.mean_of_last("prior_loss"), 6) if prior else None,
        "trainable_parameters": sum(parameter.numel() for parameter in trainer.parameters),
    }
    if not prior:
        figures["prior_loss_reason"] = "train.class_batch_size is 0: no class images"
    return figures


def write_results(params: Params, trainer: LoraTrainer, figures: Mapping[str, Any], weights: str, device: str) -> None:
    """train.json."""
    data = trainer.data
    provenance = {
        "n": len(data.instance),
        "n_class": len(data.classes) if data.classes else 0,
        "n_losers": len(data.losers) if data.losers else 0,
        "base": params.base.name,
        "base_weights": weights,
        "device": device,
        **library_versions("torch", "diffusers", "peft", "accelerate"),
    }
    write_metrics(METRICS / "train.json", figures, provenance)


def main() -> None:
    params = load_params()
    weights = fingerprint(params.base.name, params.base.local_folder)
    data = load_training_data(params, ENCODED)
    accelerator = make_accelerator(params, resolve_device(params.base.device), CHECKPOINTS.parent / "trackers")
    pipeline = load_trained_parts(params)
    if params.train.quantise_base == "none":
        pipeline.transformer.to(accelerator.device)
    monitor = params.train.monitor
    draw = make_draw(params, pipeline, load_texts(ENCODED / "prompts.safetensors"))

    detector = make_detector(monitor.detector if monitor.every else "none", params.detectors)

    def anomalous(images: Sequence[Image]) -> list[bool]:
        return [bool(anomalies) for anomalies in detector.anomalies(images)]

    log = TrainingLog(
        CURVES if accelerator.is_main_process else None,
        (lambda figures, step: accelerator.log(dict(figures), step)) if monitor.trackers else None,
    )
    trainer = LoraTrainer(
        pipeline.transformer,
        params.train,
        data,
        CHECKPOINTS / run_key(params, weights),
        make_look(params, data, draw, anomalous) if monitor.every else None,
        log,
        accelerator,
    )
    with closing(log):
        trainer.run()
    if accelerator.is_main_process:
        # Declared as an output; a recipe that never looks leaves no picture in it.
        (CURVES / "plots" / "images").mkdir(parents=True, exist_ok=True)
    layers = lora_layers(trainer.transformer)
    if accelerator.is_main_process:
        figures = write_lora(params, trainer, layers, weights)
        if accelerator.num_processes == 1:
            figures["reload_difference"] = reload_difference(pipeline, LORA, draw, params)
        write_results(params, trainer, figures, weights, accelerator.device.type)
    end_together(accelerator)
    trainer.forget_checkpoints()


def launched_main() -> None:
    """Train, under `train.launcher` where it is set: this process becomes the launcher, so that killing the stage kills
    what it started."""
    launcher = load_params().train.launcher
    if launcher and _LAUNCHED not in os.environ:
        os.environ[_LAUNCHED] = "1"
        try:
            os.execvp(launcher[0], [*launcher, "-m", "stages.train"])
        except FileNotFoundError:
            raise ValueError(f"train.launcher: {launcher[0]!r} is no command here: mend it, or set []") from None
    main()


if __name__ == "__main__":
    torch.set_float32_matmul_precision("highest")
    run_stage("train", launched_main)
