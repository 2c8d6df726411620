"""Stage `class_images`: right images of the base model itself, for prior preservation."""

from __future__ import annotations

from pathlib import Path

from anomend.diffusion.rejection import TooFewImages, Wanted, select_by_anatomy, write_selection
from anomend.params.resolved import load_params
from anomend.pictures.sample_store import SampleStore
from anomend.project import paths
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.launching import is_main_process, launch
from anomend.project.metric_files import write_metrics
from anomend.project.run import run_stage
from anomend.project.shared_folders import shared_folder


def main() -> None:
    params = load_params()
    settings = params.class_images
    if settings.per_prompt:
        launch(params.sample.launcher, "stages.class_images", parameter="sample.launcher")
    try:
        selection = select_by_anatomy(
            Wanted(**settings.model_dump(exclude={"detector"})),
            base=params.base,
            sampling=params.sample,
            store=SampleStore(shared_folder(Path.cwd(), paths.SAMPLE_STORE, params.sample.store)),
            code=recorded_fingerprint("sampler"),
            detector=settings.detector,
            detectors=params.detectors,
            anomalous=False,
            description="class images",
            ahead=params.sampled_prompts(),
            earlier=paths.CLASS_IMAGES if is_main_process() else None,
        )
    except TooFewImages as error:
        raise ValueError(
            f"{error}: the base draws that class prompt wrong; choose another one, raise class_images.max_tries, or "
            "lower class_images.min_share (all sampled images are kept in the store)"
        ) from error
    if is_main_process():
        write_selection(paths.CLASS_IMAGES, selection, params.base.name)
        metrics = {
            "images": len(selection.kept),
            "sampled": selection.sampled,
            "rejected": len(selection.rejected),
            "short": selection.short,
        }
        provenance = {"base": params.base.name, "detector": settings.detector}
        write_metrics(paths.METRICS / "class_images.json", metrics, provenance)


if __name__ == "__main__":
    run_stage("class_images", main)
