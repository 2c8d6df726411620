"""Stage `train`: fine-tune a LoRA on the instance images, with prior preservation, on one process or many."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline
from filelock import FileLock, Timeout

from stages.cli import run_stage
from stages.diffusion.base_models import (
    BASE_MODELS,
    fingerprint,
    load_latent_format,
    load_pipeline,
    resolve_device,
)
from stages.diffusion.embeddings import load_encoded, load_texts
from stages.diffusion.latent_format import LatentFormat
from stages.diffusion.lora import lora_layers, save_lora
from stages.diffusion.monitoring import Image, Look, shared_anomaly_rate, validation_batches, validation_loss
from stages.diffusion.objectives import flow_matching
from stages.diffusion.quantisation import quantised_transformer
from stages.diffusion.sampling import sample_images
from stages.diffusion.training_data import TrainingData
from stages.diffusion.training_log import TrainingLog
from stages.diffusion.training_loop import LookAt, LoraTrainer
from stages.measures.anatomy import assess
from stages.metric_files import METRICS, library_versions, write_metrics
from stages.params import Params, load_params
from stages.reports.model_card import lora_card

LORA, ENCODED, CHECKPOINTS = Path("models/lora"), Path("data/encoded"), Path(".checkpoints/train")
CURVES = METRICS / "training"
_LAUNCHED = "ANOMEND_TRAIN_LAUNCHED"


def run_key(params: Params, base: str) -> str:
    """Names the run: equal for equal parameters, data, base and code, so that only its own checkpoints are resumed."""
    sample = params.sample.model_dump(include={"steps", "guidance_scale", "batch_size"})
    settings = params.train.model_dump(exclude={"launcher"}) | {"sample": sample, "target": params.prompts.target}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(base.encode() + params.base.dtype.encode())
    for path in [*sorted(ENCODED.glob("*.safetensors")), *sorted(Path("stages/diffusion").glob("*.py"))]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def load_training_data(params: Params) -> TrainingData:
    """The encoded sets that the recipe uses.

    Raises:
        ValueError: a set is missing.
    """
    settings = params.train
    latent_format = load_latent_format(params.base.name, params.base.local_folder)
    if settings.quirks.skip_latent_shift:
        latent_format = LatentFormat(latent_format.scaling_factor, 0.0)
    wanted = {"instance": True, "class": settings.class_batch_size > 0, "loser": settings.method == "dpo"}
    sets = {name: load_encoded(ENCODED / f"{name}.safetensors") if needed else None for name, needed in wanted.items()}
    assert sets["instance"] is not None
    return TrainingData(sets["instance"], sets["class"], latent_format, sets["loser"])


def make_look(params: Params, pipeline: StableDiffusion3Pipeline, data: TrainingData) -> LookAt:
    """What is looked at while training: the anomaly rate at a few fixed seeds, and the validation loss."""
    monitor, sample, flow = params.train.monitor, params.sample, flow_matching(params.train)
    texts = load_texts(ENCODED / "prompts.safetensors")
    seeds = range(monitor.first_seed, monitor.first_seed + monitor.seeds_per_prompt)
    requests = [(prompt, seed) for prompt in params.prompts.target for seed in seeds]
    fixed = validation_batches(data, flow, monitor.validation_draws, params.train.seed, params.train.batch_size)

    def draw(chosen: Sequence[tuple[str, int]]) -> list[Image]:
        return list(
            sample_images(
                pipeline,
                chosen,
                steps=sample.steps,
                guidance_scale=sample.guidance_scale,
                resolution=params.base.resolution,
                max_sequence_length=params.base.max_sequence_length,
                batch_size=sample.batch_size,
                description="",
                texts=texts,
            )
        )

    def anomalous(images: Sequence[Image]) -> list[bool]:
        return [bool(found) for found in assess(images, monitor.detector)]

    def look_at(transformer: SD3Transformer2DModel, accelerator: Accelerator) -> Look:
        loss = validation_loss(transformer, fixed, flow)
        if not requests:
            return Look(None, loss)
        # The decoder is on the device only while it is needed.
        pipeline.vae.to(accelerator.device)
        rate, images = shared_anomaly_rate(
            requests, draw, None if monitor.detector == "none" else anomalous, accelerator
        )
        pipeline.vae.to("cpu")
        return Look(rate, loss, images)

    return look_at


def load_trained_parts(params: Params) -> StableDiffusion3Pipeline:
    """The base without text encoders, and without a VAE unless samples are looked at while training."""
    base, settings = params.base, params.train
    names = ("text_encoder", "text_encoder_2", "text_encoder_3", "tokenizer", "tokenizer_2", "tokenizer_3")
    parts: dict[str, Any] = dict.fromkeys(names)
    if not (settings.monitor.every and settings.monitor.seeds_per_prompt):
        parts["vae"] = None
    if settings.quantise_base != "none":
        parts["transformer"] = quantised_transformer(base.name, base.local_folder, settings.quantise_base, base.dtype)
    return load_pipeline(base.name, base.local_folder, base.dtype, **parts)


def make_accelerator(params: Params, device: torch.device) -> Accelerator:
    """The processes of this training, with the trackers that were asked for.

    Raises:
        ValueError: a tracker's package is missing.
    """
    trackers = params.train.monitor.trackers
    try:
        accelerator = Accelerator(
            cpu=device.type == "cpu", log_with=trackers or None, project_dir=str(CHECKPOINTS.parent / "trackers")
        )
        if trackers:
            accelerator.init_trackers("anomend", {"profile": params.profile, "seed": params.train.seed})
    except (ImportError, ValueError) as error:
        raise ValueError(f"train.monitor.trackers = {trackers}: {error}; pip install it, or leave it out") from error
    return accelerator


def write_results(
    params: Params, trainer: LoraTrainer, layers: Mapping[str, torch.Tensor], weights: str, device: str
) -> None:
    """LoRA, model card and train.json."""
    progress = trainer.progress
    settings, base, data = params.train, params.base, trainer.data
    sha256 = save_lora(trainer.transformer, LORA, layers)
    card = lora_card(params, weights, BASE_MODELS[base.name].licence, len(data.instance))
    (LORA / "README.md").write_text(card)
    curve = trainer.curve()
    last = curve.tail(max(1, len(curve) // 10)).mean()
    best = progress.looks.best
    kept = progress.looks.steps[best] if settings.monitor.keep == "best" and best is not None else progress.done
    figures = {
        "lora_sha256": sha256,
        "steps": progress.done,
        "kept_step": kept,
        "stopped_early": progress.done < settings.steps,
        "train_seed": settings.seed,
        "loss_last_tenth": round(float(last["loss"]), 6),
        "prior_loss_last_tenth": round(float(last["prior_loss"]), 6) if "prior_loss" in last else None,
        "trainable_parameters": sum(parameter.numel() for parameter in trainer.parameters),
    }
    if "prior_loss" not in last:
        figures["prior_loss_reason"] = "train.class_batch_size is 0: no class images"
    provenance = {
        "n": len(data.instance),
        "n_class": len(data.classes) if data.classes else 0,
        "n_losers": len(data.losers) if data.losers else 0,
        "base": base.name,
        "base_weights": weights,
        "device": device,
        **library_versions("torch", "diffusers", "peft", "accelerate"),
    }
    write_metrics(METRICS / "train.json", figures, provenance)


def main() -> None:
    params = load_params()
    weights = fingerprint(params.base.name, params.base.local_folder)
    data = load_training_data(params)
    accelerator = make_accelerator(params, resolve_device(params.base.device))
    pipeline = load_trained_parts(params)
    if params.train.quantise_base == "none":
        pipeline.transformer.to(accelerator.device)
    trackers = params.train.monitor.trackers
    log = TrainingLog(
        CURVES if accelerator.is_main_process else None,
        (lambda figures, step: accelerator.log(dict(figures), step)) if trackers else None,
    )
    trainer = LoraTrainer(
        pipeline.transformer,
        params.train,
        data,
        CHECKPOINTS / run_key(params, weights),
        make_look(params, pipeline, data) if params.train.monitor.every else None,
        log,
        accelerator,
    )
    trainer.run()
    log.close()
    layers = lora_layers(trainer.transformer)
    if accelerator.is_main_process:
        write_results(params, trainer, layers, weights, accelerator.device.type)
    accelerator.end_training()
    trainer.forget_checkpoints()


def locked_main() -> None:
    """Killing dvc leaves its trainer running, and a rerun would start a second one: the lock refuses that."""
    launcher = load_params().train.launcher
    if launcher and _LAUNCHED not in os.environ:
        # This process becomes the launcher, so that killing the stage kills what it started.
        os.environ[_LAUNCHED] = "1"
        try:
            os.execvp(launcher[0], [*launcher, "-m", "stages.train"])
        except FileNotFoundError:
            raise ValueError(f"train.launcher: {launcher[0]!r} is no command here: mend it, or set []") from None
    if int(os.environ.get("RANK", "0")) > 0:
        return main()
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(CHECKPOINTS.parent / "train.lock", timeout=1):
            main()
    except Timeout:
        raise ValueError("another training runs in this folder: wait for it, or stop it, then run again") from None


if __name__ == "__main__":
    torch.set_float32_matmul_precision("highest")
    run_stage("train", locked_main)
