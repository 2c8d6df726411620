"""Stage `train`: fine-tune a LoRA on the instance images, with prior preservation."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from stages.cli import run_stage
from stages.diffusion.base_models import BASE_MODELS, fingerprint, load_pipeline, resolve_device
from stages.diffusion.embeddings import load_encoded
from stages.diffusion.latent_format import LatentFormat
from stages.diffusion.lora import save_lora
from stages.diffusion.training_loop import LoraTrainer
from stages.metric_files import METRICS, library_versions, write_metrics
from stages.params import Params, load_params
from stages.reports.model_card import lora_card

LORA, ENCODED, CHECKPOINTS = Path("models/lora"), Path("data/encoded"), Path(".checkpoints/train")


def run_key(params: Params, base: str) -> str:
    """Names the run: equal for equal parameters, data, base and code, so that only its own checkpoints are resumed."""
    digest = hashlib.sha256(json.dumps(params.train.model_dump(), sort_keys=True).encode())
    digest.update(base.encode() + params.base.dtype.encode())
    for path in [*sorted(ENCODED.glob("*.safetensors")), *sorted(Path("stages/diffusion").glob("*.py"))]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def main() -> None:
    params = load_params()
    settings, base = params.train, params.base
    weights = fingerprint(base.name, base.local_folder)
    parts = dict.fromkeys(("text_encoder", "text_encoder_2", "text_encoder_3"))
    parts |= dict.fromkeys(("tokenizer", "tokenizer_2", "tokenizer_3"))
    pipeline = load_pipeline(base.name, base.local_folder, base.dtype, **parts)
    latent_format = LatentFormat.of(pipeline.vae)
    device = resolve_device(base.device)
    trainer = LoraTrainer(pipeline.transformer.to(device), settings, CHECKPOINTS / run_key(params, weights))
    instance = load_encoded(ENCODED / "instance.safetensors")
    classes = load_encoded(ENCODED / "class.safetensors") if settings.class_batch_size else None
    curve = trainer.run(instance, classes, latent_format)

    sha256 = save_lora(pipeline.transformer, LORA)
    (LORA / "README.md").write_text(lora_card(params, weights, BASE_MODELS[base.name].licence, len(instance)))
    (METRICS / "plots").mkdir(parents=True, exist_ok=True)
    curve.to_csv(METRICS / "plots" / "train_loss.csv", index=False, float_format="%.6g")
    last = curve.tail(max(1, len(curve) // 10))
    write_metrics(
        METRICS / "train.json",
        {
            "lora_sha256": sha256,
            "steps": settings.steps,
            "stopped_early": False,
            "train_seed": settings.seed,
            "loss_last_tenth": round(float(last["loss"].mean()), 6),
            "prior_loss_last_tenth": round(float(last["prior_loss"].mean()), 6),
            "trainable_parameters": sum(parameter.numel() for parameter in trainer.parameters),
        },
        {
            "n": len(instance),
            "n_class": len(classes) if classes else 0,
            "base": base.name,
            "base_weights": weights,
            "device": device.type,
            **library_versions("torch", "diffusers", "peft"),
        },
    )
    trainer.forget_checkpoints()


def locked_main() -> None:
    """Killing dvc leaves its trainer running, and a rerun would start a second one: the lock refuses that."""
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(CHECKPOINTS.parent / "train.lock", timeout=1):
            main()
    except Timeout:
        raise ValueError("another training runs in this folder: wait for it, or stop it, then run again") from None


if __name__ == "__main__":
    torch.set_float32_matmul_precision("highest")
    run_stage("train", locked_main)
