"""Stage `train`: fine-tune a LoRA, on one process or several; or take one of another program, or none."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from anomend.diffusion.bases import BASE_MODELS
from anomend.diffusion.lora_origin import EXTERNAL, ORIGIN
from anomend.exporting.lora_card import NO_LORA, lora_card
from anomend.params.resolved import load_params
from anomend.project import paths
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.files import write_whole
from anomend.project.launching import launch
from anomend.project.metric_files import write_metrics
from anomend.project.run import run_stage
from anomend.project.shared_folders import shared_folder
from anomend.training.curves import clear_curves


def main() -> None:
    params = load_params()
    if params.train.method == "external":
        taken = import_module(EXTERNAL).external_lora("train.external", params, paths.LORA)
        clear_curves(paths.CURVES)
        write_metrics(paths.METRICS / "train.json", *taken)
        return
    if not params.train.makes_lora:
        from anomend.training.no_training import no_training

        metrics, provenance = no_training(params, paths.LORA, paths.CURVES)
        write_whole(paths.LORA / "README.md", NO_LORA)
        write_metrics(paths.METRICS / "train.json", metrics, provenance)
        return
    launch(params.train.launcher, "stages.train", parameter="train.launcher")
    # Imported only now: torch takes seconds, which a launcher need not wait for.
    from anomend.training.run import TrainingFolders, run_training

    folders = TrainingFolders(
        encoded=paths.ENCODED,
        lora=paths.LORA,
        curves=paths.CURVES,
        checkpoints=paths.CHECKPOINTS / "train",
        trackers=paths.CHECKPOINTS / "trackers",
        samples=shared_folder(Path.cwd(), paths.SAMPLE_STORE, params.sample.store),
    )
    trained = run_training(params, folders, recorded_fingerprint("train"))
    if trained.is_main_process:
        base, images = BASE_MODELS[params.base.name], trained.provenance["n"]
        (paths.LORA / ORIGIN).unlink(missing_ok=True)
        card = lora_card(params, base, base_weights=trained.base_weights, instance_images=images)
        write_whole(paths.LORA / "README.md", card)
        write_metrics(paths.METRICS / "train.json", trained.metrics, trained.provenance)
    trained.finish()


if __name__ == "__main__":
    run_stage("train", main)
