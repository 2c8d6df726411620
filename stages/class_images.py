"""Stage `class_images`: images of the base model itself, for prior preservation."""

from __future__ import annotations

from pathlib import Path

from anomend.detectors.table import make_detector
from anomend.diffusion.rejection import Kept, base_sampler, sample_kept, write_kept
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.project.metric_files import METRICS, write_metrics
from anomend.project.run import run_stage

CLASS_IMAGES = Path("data/class_images")


def sample_class_images(params: Params) -> tuple[list[Kept], int]:
    """Images of the base that the detector finds right, and how many were sampled for them."""
    settings = params.class_images
    detector = make_detector(settings.detector, params.detectors)
    try:
        return sample_kept(
            settings.prompts,
            settings.per_prompt,
            settings.max_tries,
            settings.first_seed,
            base_sampler(params.base, params.sample, settings.prompts, "class images"),
            lambda images: [not anomalies for anomalies in detector.anomalies(images)],
        )
    except ValueError as error:
        raise ValueError(
            f"{error}: the base draws that class prompt wrong; choose another one, or raise class_images.max_tries"
        ) from error


def main() -> None:
    params = load_params()
    kept, tried = sample_class_images(params) if params.class_images.per_prompt else ([], 0)
    write_kept(CLASS_IMAGES, kept, params.base.name)
    figures = {"images": len(kept), "sampled": tried, "rejected": tried - len(kept)}
    provenance = {"base": params.base.name, "detector": params.class_images.detector}
    write_metrics(METRICS / "class_images.json", figures, provenance)


if __name__ == "__main__":
    run_stage("class_images", main)
