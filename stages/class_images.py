"""Stage `class_images`: images of the base model itself, for prior preservation."""

from __future__ import annotations

from pathlib import Path

from stages.cli import run_stage
from stages.diffusion.base_models import load_pipeline, resolve_device
from stages.diffusion.sampling import sample_images
from stages.imagefolder import ImageFolderWriter
from stages.measures.anatomy import assess
from stages.metric_files import METRICS, write_metrics
from stages.params import load_params

CLASS_IMAGES = Path("data/class_images")


def main() -> None:
    params = load_params()
    settings, base, sample = params.class_images, params.base, params.sample
    pipeline = load_pipeline(base.name, base.local_folder, base.dtype).to(resolve_device(base.device))
    writer = ImageFolderWriter(CLASS_IMAGES)
    kept = dict.fromkeys(settings.prompts, 0)
    tried = 0
    for attempt in range(settings.max_tries):
        # Only as many as still lack: where the base draws a prompt right, one round is enough.
        first = settings.first_seed + attempt * settings.per_prompt
        requests = [(p, first + i) for p in settings.prompts for i in range(settings.per_prompt - kept[p])]
        if not requests:
            break
        images = list(
            sample_images(
                pipeline,
                requests,
                steps=sample.steps,
                guidance_scale=sample.guidance_scale,
                resolution=base.resolution,
                max_sequence_length=base.max_sequence_length,
                batch_size=sample.batch_size,
                description=f"class images, round {attempt + 1}",
            )
        )
        tried += len(images)
        anomalies = [()] * len(images) if settings.detector == "none" else assess(images, settings.detector)
        for (prompt, seed), image, found in zip(requests, images, anomalies, strict=True):
            if not found:
                name = f"{len(writer.rows):04d}.png"
                writer.add(name, image, text=prompt, prompt=prompt, seed=seed, source="base", model=base.name)
                kept[prompt] += 1
    short = {prompt: count for prompt, count in kept.items() if count < settings.per_prompt}
    if short:
        prompt, count = next(iter(short.items()))
        raise ValueError(
            f"the base drew only {count} right images of {settings.per_prompt} for the class prompt {prompt!r} in "
            f"{settings.max_tries} rounds: choose another class prompt, or raise class_images.max_tries"
        )
    writer.close()
    figures = {"images": len(writer.rows), "sampled": tried, "rejected": tried - len(writer.rows)}
    write_metrics(METRICS / "class_images.json", figures, {"base": base.name, "detector": settings.detector})


if __name__ == "__main__":
    run_stage("class_images", main)
