"""Stage `class_images`: right images of the base model itself, for prior preservation."""

from __future__ import annotations

from anomend.diffusion.rejection import Wanted, sample_by_anatomy, write_kept
from anomend.params.resolved import load_params
from anomend.project import paths
from anomend.project.metric_files import write_metrics
from anomend.project.run import run_stage


def main() -> None:
    params = load_params()
    settings = params.class_images
    try:
        kept, sampled = sample_by_anatomy(
            params.base,
            params.sample,
            Wanted(**settings.model_dump(include={"prompts", "per_prompt", "max_tries", "first_seed"})),
            detector=settings.detector,
            detectors=params.detectors,
            anomalous=False,
            description="class images",
        )
    except ValueError as error:
        raise ValueError(
            f"{error}: the base draws that class prompt wrong; choose another one, or raise class_images.max_tries"
        ) from error
    write_kept(paths.CLASS_IMAGES, kept, params.base.name)
    metrics = {"images": len(kept), "sampled": sampled, "rejected": sampled - len(kept)}
    provenance = {"base": params.base.name, "detector": settings.detector}
    write_metrics(paths.METRICS / "class_images.json", metrics, provenance)


if __name__ == "__main__":
    run_stage("class_images", main)
