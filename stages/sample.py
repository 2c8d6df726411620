"""Stages `sample_base` and `sample_tuned`: the same prompts and seeds, by the base and by the tuned model."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from anomend.confirming.records import record_in_force, refuse_another_lora
from anomend.diffusion.lora_folder import lora_sha256
from anomend.diffusion.sample_sets import read_seeds, write_sample_set
from anomend.diffusion.tuned_metrics import model_name, read_origins, tuned_metrics
from anomend.diffusion.tuned_model import loras_of, sampler_of
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import METADATA
from anomend.pictures.sample_store import SampleStore
from anomend.project import paths
from anomend.project.files import sha256_of
from anomend.project.launching import is_main_process, launch
from anomend.project.metric_files import read_metrics, write_metrics
from anomend.project.run import run_stage
from anomend.project.shared_folders import shared_folder


def main(model: str) -> None:
    params = load_params()
    launch(params.sample.launcher, "stages.sample", model, parameter="sample.launcher")
    lora = loras_of(params)[model]
    sha256 = lora_sha256(lora) if lora else None
    if sha256:
        refuse_another_lora(record_in_force(params, paths.CONFIRMATIONS), sha256, model)
    store = SampleStore(shared_folder(Path.cwd(), paths.SAMPLE_STORE, params.sample.store))
    sampler = sampler_of(model, params, store=store, lora=lora)
    images = write_sample_set(
        paths.SAMPLES / model,
        sampler,
        seeds=read_seeds(read_metrics(paths.METRICS / "looks.json")),
        first_seed=params.sample.first_seed,
        model=model,
        name=model_name(model, params, sha256),
        written=is_main_process(),
    )
    if is_main_process():
        metrics = {"images": images, "samples_sha256": sha256_of(paths.SAMPLES / model / METADATA)}
        metrics |= tuned_metrics(params, sampler, images, read_origins(loras_of(params))) if model == "tuned" else {}
        write_metrics(paths.METRICS / f"sample_{model}.json", metrics, sampler.recipe)
        store.prune_to(params.sample.store_gigabytes, keep=sampler.samples.digest)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=paths.MODELS)
    selected = parser.parse_args().model
    run_stage(f"sample_{selected}", partial(main, selected))
