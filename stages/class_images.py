"""Stage `class_images`: images of the base model itself, for prior preservation."""

from __future__ import annotations

from pathlib import Path

from stages.cli import run_stage
from stages.diffusion.rejection import Kept, sample_kept
from stages.diffusion.sampling import load_sampler, sample_images
from stages.imagefolder import ImageFolderWriter
from stages.measures.anatomy import assess
from stages.metric_files import METRICS, write_metrics
from stages.params import Params, load_params

CLASS_IMAGES = Path("data/class_images")


def sample_class_images(params: Params) -> tuple[list[Kept], int]:
    """Images of the base that the detector finds right, and how many were sampled for them."""
    settings, base, sample = params.class_images, params.base, params.sample
    pipeline, texts = load_sampler(base, settings.prompts)
    try:
        return sample_kept(
            settings.prompts,
            settings.per_prompt,
            settings.max_tries,
            settings.first_seed,
            lambda requests, attempt: list(
                sample_images(
                    pipeline,
                    requests,
                    steps=sample.steps,
                    guidance_scale=sample.guidance_scale,
                    resolution=base.resolution,
                    max_sequence_length=base.max_sequence_length,
                    batch_size=sample.batch_size,
                    description=f"class images, round {attempt}",
                    texts=texts,
                )
            ),
            lambda images: [settings.detector == "none" or not assess([x], settings.detector)[0] for x in images],
        )
    except ValueError as error:
        raise ValueError(
            f"{error}: the base draws that class prompt wrong; choose another one, or raise class_images.max_tries"
        ) from error


def main() -> None:
    params = load_params()
    kept, tried = sample_class_images(params) if params.class_images.per_prompt else ([], 0)
    writer = ImageFolderWriter(CLASS_IMAGES)
    for index, (prompt, seed, image) in enumerate(kept):
        name = f"{index:04d}.png"
        writer.add(name, image, text=prompt, prompt=prompt, seed=seed, source="base", model=params.base.name)
    writer.close()
    figures = {"images": len(kept), "sampled": tried, "rejected": tried - len(kept)}
    provenance = {"base": params.base.name, "detector": params.class_images.detector}
    write_metrics(METRICS / "class_images.json", figures, provenance)


if __name__ == "__main__":
    run_stage("class_images", main)
