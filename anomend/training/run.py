"""A whole training run: from encoded images on disk to the saved LoRA and its metrics."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from anomend.detectors.table import make_detector
from anomend.diffusion.base_models import fingerprint
from anomend.diffusion.embeddings import load_texts
from anomend.diffusion.lora import lora_layers, save_lora
from anomend.params.params import Params
from anomend.pictures.sample_store import SampleStore
from anomend.project.devices import resolve_device
from anomend.project.metric_files import library_versions
from anomend.statistics.rate import Rate
from anomend.training.evaluations import EvaluationHistory
from anomend.training.guards import keeps_best, stopped_by
from anomend.training.log import TrainingLog
from anomend.training.loop import LoraTrainer
from anomend.training.round_reports import RoundReport, diversity
from anomend.training.run_folders import open_run, run_folder
from anomend.training.run_key import run_identity
from anomend.training.setup import (
    Detect,
    end_together,
    is_quantised,
    load_trained_parts,
    load_training_data,
    make_accelerator,
    make_draw,
    make_evaluate,
    make_rounds,
    reload_difference,
)
from anomend.training.stored_evaluations import StoredEvaluations, evaluation_recipe
from anomend.training.strength import with_strength


@dataclass(frozen=True, kw_only=True)
class TrainingFolders:
    """Where a training run reads and writes."""

    encoded: Path
    """Encoded image sets and prompts, which stage `encode` wrote."""
    lora: Path
    """The result."""
    curves: Path
    """Curves and sample grids."""
    checkpoints: Path
    """Checkpoints of all runs, in one folder per run."""
    trackers: Path
    """Files of other trackers."""
    samples: Path
    """The store of samples, which keeps images of evaluations."""


@dataclass(frozen=True, kw_only=True)
class TrainedLora:
    """A training run whose LoRA is saved, and whose checkpoints are still there."""

    trainer: LoraTrainer
    base_weights: str
    """What identifies the base's weights."""
    metrics: dict[str, Any]
    """Metrics for train.json; empty on all processes except the main one, which writes them."""
    provenance: dict[str, Any]
    """What the metrics rest on."""

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes the results."""
        return self.trainer.accelerator.is_main_process

    def finish(self) -> None:
        """End together with the other processes, and delete the checkpoints; call it when all results are written."""
        end_together(self.trainer.accelerator)
        self.trainer.forget_checkpoints()


def run_training(params: Params, folders: TrainingFolders, code: str) -> TrainedLora:
    """Train a LoRA and save it; continues from the run's checkpoints if there are any.

    Args:
        params: all parameters.
        folders: where to read and write.
        code: fingerprint of the code that trains; checkpoints of other code are not used.

    Raises:
        ValueError: the recipe does not fit the data, the base or the machine, or the loss is not finite.
    """
    torch.set_float32_matmul_precision("highest")
    base_weights = fingerprint(params.base.name, params.base.local_folder, params.base.revision)
    data = load_training_data(params, folders.encoded)
    accelerator = make_accelerator(params, resolve_device(params.base.device), folders.trackers)
    pipeline = load_trained_parts(params)
    if not is_quantised(params):
        pipeline.transformer.to(accelerator.device)
    monitor, nft = params.train.monitor, params.train.nft
    texts = folders.encoded / "prompts.safetensors"
    prompts = load_texts(texts)

    def stored_sampling(params: Params) -> StoredEvaluations:
        return StoredEvaluations(
            SampleStore(folders.samples),
            evaluation_recipe(params, texts=texts, code=code),
            draw=make_draw(params, pipeline, prompts),
            batch_size=params.sample.batch_size,
            gigabytes=params.sample.store_gigabytes,
        )

    stored, of_rounds = stored_sampling(params), stored_sampling(params.sampling_rounds())
    names = (
        monitor.detector if monitor.every else "none",
        *((nft.detector, nft.second_detector) if params.train.rewards_by_detector else ("none", "none")),
    )
    detectors = {name: _detect(params, name) for name in dict.fromkeys(names)}
    watching, rewarding, second = (detectors[name] for name in names)
    log = TrainingLog(
        folders.curves if accelerator.is_main_process else None,
        (lambda metrics, step: accelerator.log(dict(metrics), step)) if monitor.trackers else None,
    )
    rounds = make_rounds(
        params,
        pipeline,
        texts=prompts,
        stored=of_rounds,
        detect=rewarding,
        second=None if nft.second_detector == "none" else second,
    )
    identity = run_identity(
        params,
        encoded=folders.encoded,
        base_weights=base_weights,
        code=code,
        labelled=rounds.digest if rounds else None,
    )
    if accelerator.is_main_process:
        for sentence in open_run(folders.checkpoints, identity):
            print(f"train: {sentence}", file=sys.stderr)
    settings = with_strength(params.train, data, pipeline.transformer)
    trainer = LoraTrainer(
        pipeline.transformer,
        settings,
        data,
        checkpoints=run_folder(folders.checkpoints, identity),
        evaluate=make_evaluate(
            params=params, data=data, stored=stored, detect=None if monitor.detector == "none" else watching
        ),
        log=log,
        accelerator=accelerator,
        rounds=rounds,
    )
    with closing(log):
        trainer.run()
    if rounds and accelerator.is_main_process:
        of_rounds.prune()
    layers = lora_layers(trainer.transformer)
    metrics: dict[str, Any] = {}
    if accelerator.is_main_process:
        sha256 = save_lora(trainer.transformer, folders.lora, layers)
        metrics = {"lora_sha256": sha256, **training_metrics(trainer)}
        if accelerator.num_processes == 1:
            metrics["reload_difference"] = reload_difference(
                pipeline=pipeline, lora=folders.lora, draw=stored.draw, params=params
            )
    provenance = {
        "n": images_learned(trainer),
        "n_class": len(data.classes) if data.classes else 0,
        "n_losers": len(data.losers) if data.losers else 0,
        "base": params.base.name,
        "base_weights": base_weights,
        "device": accelerator.device.type,
        **library_versions("torch", "diffusers", "peft", "accelerate"),
    }
    return TrainedLora(trainer=trainer, base_weights=base_weights, metrics=metrics, provenance=provenance)


def _detect(params: Params, name: str) -> Detect:
    """Whether each image has an anomaly, by the detector of that name."""
    detector = make_detector(name, params.detectors, params.base.device)
    return lambda images: [bool(anomalies) for anomalies in detector.anomalies(images)]


def images_learned(trainer: LoraTrainer) -> int:
    """Images that the LoRA learned from: those of all rounds, or the instance images."""
    rounds = trainer.progress.rounds
    return sum(each.images for each in rounds) if rounds else len(trainer.data.instance)


def round_rates(rounds: Sequence[RoundReport]) -> dict[str, dict[str, Any]]:
    """The anomaly rate and the diversity of each round's images, by the step before which it was trained on; where a
    second detector looks, its rate too."""
    rates = {}
    for count, each in enumerate(rounds):
        figures = {
            "anomaly_rate": each.anomaly_rate,
            "diversity": diversity(rounds[: count + 1]),
            **({} if (second := each.second_anomaly_rate) is None else {"second_anomaly_rate": second}),
        }
        rounded = {name: None if value is None else round(value, 6) for name, value in figures.items()}
        rates[str(each.step)] = {"n": each.images, **rounded}
    return rates


def evaluation_rates(history: EvaluationHistory) -> dict[str, dict[str, Any]]:
    """The anomaly rate of each evaluation that a detector saw by its step, with its interval: what the report draws."""
    return {
        str(step): Rate.of(round(evaluation.anomaly_rate * evaluation.sampled), evaluation.sampled).as_dict()
        for step, evaluation in zip(history.steps, history.evaluations, strict=True)
        if evaluation.anomaly_rate is not None and evaluation.sampled
    }


def training_metrics(trainer: LoraTrainer) -> dict[str, Any]:
    """Metrics of a finished training run."""
    settings, progress = trainer.settings, trainer.progress
    has_prior, best = "prior_loss" in progress.columns, progress.history.best
    metrics: dict[str, Any] = {
        "steps": progress.done,
        "kept_step": progress.history.steps[best]
        if keeps_best(progress, settings) and best is not None
        else progress.done,
        "stopped_early": progress.done < settings.steps,
        "train_seed": settings.seed,
        "loss_last_tenth": round(progress.mean_of_last("loss"), 6),
        "prior_loss_last_tenth": round(progress.mean_of_last("prior_loss"), 6) if has_prior else None,
        "trainable_parameters": sum(parameter.numel() for parameter in trainer.weights.parameters),
    }
    if evaluations := evaluation_rates(progress.history):
        metrics["evaluations"] = evaluations
    if (reason := stopped_by(progress, settings)) is not None:
        metrics["stopped_by"] = reason
    if progress.rounds:
        metrics["rounds"] = len(progress.rounds)
        metrics["norm_ratio_last_tenth"] = round(progress.mean_of_last("norm_ratio"), 6)
        metrics["by_round"] = round_rates(progress.rounds)
    if settings.method == "dpo" and settings.dpo.beta_unit != "absolute":
        metrics["dpo_beta"] = round(settings.dpo.beta, 6)
    if not has_prior:
        metrics["prior_loss_reason"] = "train.class_batch_size is 0: no class images"
    return metrics
