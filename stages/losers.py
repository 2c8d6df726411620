"""Stage `losers`: the base's own anomalous images of the target prompts, for preference training."""

from __future__ import annotations

from pathlib import Path

from stages.cli import run_stage
from stages.diffusion.rejection import Kept, sample_kept
from stages.diffusion.sampling import load_sampler, sample_images
from stages.imagefolder import ImageFolderWriter
from stages.measures.anatomy import assess
from stages.metric_files import METRICS, write_metrics
from stages.params import Params, load_params

LOSERS = Path("data/losers")


def sample_losers(params: Params) -> tuple[list[Kept], int]:
    """Images of the base in which the detector finds an anomaly, and how many were sampled for them."""
    settings, base, sample = params.losers, params.base, params.sample
    pipeline, texts = load_sampler(base, params.prompts.target)
    try:
        return sample_kept(
            params.prompts.target,
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
                    description=f"anomalous images, round {attempt}",
                    texts=texts,
                )
            ),
            lambda images: [bool(found) for found in assess(images, settings.detector)],
        )
    except ValueError as error:
        raise ValueError(
            f"{error}: the base draws that target prompt mostly right; leave it out, or raise losers.max_tries"
        ) from error


def main() -> None:
    params = load_params()
    # DreamBooth needs none: the set is then an empty folder, so that the pipeline is the same for every method.
    kept, tried = sample_losers(params) if params.train.method == "dpo" else ([], 0)
    writer = ImageFolderWriter(LOSERS)
    for index, (prompt, seed, image) in enumerate(kept):
        name = f"{index:04d}.png"
        writer.add(name, image, text=prompt, prompt=prompt, seed=seed, source="base", model=params.base.name)
    writer.close()
    provenance = {"base": params.base.name, "detector": params.losers.detector, "method": params.train.method}
    write_metrics(METRICS / "losers.json", {"images": len(kept), "sampled": tried}, provenance)


if __name__ == "__main__":
    run_stage("losers", main)
