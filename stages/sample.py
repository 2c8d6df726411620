"""Stages `sample_base` and `sample_tuned`: the same prompts and seeds, without and with the LoRA."""

from __future__ import annotations

import argparse
from functools import partial

from anomend.diffusion.lora import load_lora, lora_sha256
from anomend.diffusion.sampling import load_sampler, sample_images, sampling_options
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import METADATA, ImageFolderWriter
from anomend.project import paths
from anomend.project.files import sha256_of
from anomend.project.metric_files import write_metrics
from anomend.project.run import run_stage
from anomend.project.slugs import slug


def main(model: str) -> None:
    params = load_params()
    settings, base = params.sample, params.base
    pipeline, texts = load_sampler(base, params.prompts.target + params.prompts.held_out)
    source: str = base.name
    if model == "tuned":
        load_lora(pipeline, paths.LORA)
        source = f"{base.name} + LoRA {lora_sha256(paths.LORA)[:12]}"
    groups = {"target": params.prompts.target, "held_out": params.prompts.held_out}
    counts = {"target": settings.target_seeds_per_prompt, "held_out": settings.held_out_seeds_per_prompt}
    seeds = {group: range(settings.first_seed, settings.first_seed + count) for group, count in counts.items()}
    rows = [(group, prompt, seed) for group, prompts in groups.items() for prompt in prompts for seed in seeds[group]]
    images = sample_images(
        pipeline,
        [(prompt, seed) for _, prompt, seed in rows],
        **sampling_options(base, settings),
        description=f"sampling {model}",
        texts=texts,
    )
    writer = ImageFolderWriter(paths.SAMPLES / model)
    for (group, prompt, seed), image in zip(rows, images, strict=True):
        name = f"{slug(prompt)}-{seed}.png"
        row = {"text": prompt, "prompt": prompt, "seed": seed, "group": group, "source": model, "model": source}
        # Nothing runs again for another device, which rounds differently: so each image says what it was drawn on.
        writer.add(name, image, **row, device=pipeline.device.type)
    writer.close()
    metrics = {"images": len(rows), "samples_sha256": sha256_of(paths.SAMPLES / model / METADATA)}
    provenance = {"base": base.name, "model": source, "device": pipeline.device.type}
    write_metrics(paths.METRICS / f"sample_{model}.json", metrics, provenance)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=paths.MODELS)
    selected = parser.parse_args().model
    run_stage(f"sample_{selected}", partial(main, selected))
