"""Stage `losers`: anomalous images of the target prompts, by the base itself or drawn, for preference training."""

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
    settings, method = params.losers, params.train.method
    if method == "dpo" and settings.source == "planted":
        from anomend.collecting.planted_people import write_planted_people

        images = write_planted_people(paths.LOSERS, params.prompts.target, settings.per_prompt, params.collect.seed)
        metrics = {"images": images, "sampled": 0, "short": {}}
        return write_metrics(paths.METRICS / "losers.json", metrics, {"source": "planted", "method": method})
    wanted = Wanted(prompts=params.prompts.target, **settings.model_dump(exclude={"detector", "source"}))
    if method != "dpo":
        # The set is then an empty folder, so that the pipeline is the same for every method.
        wanted = wanted.none()
    else:
        launch(params.sample.launcher, "stages.losers", parameter="sample.launcher")
    try:
        selection = select_by_anatomy(
            wanted,
            base=params.base,
            sampling=params.sample,
            store=SampleStore(shared_folder(Path.cwd(), paths.SAMPLE_STORE, params.sample.store)),
            code=recorded_fingerprint("sampler"),
            detector=settings.detector,
            detectors=params.detectors,
            anomalous=True,
            description="anomalous images",
            ahead=params.sampled_prompts(),
            earlier=paths.LOSERS if is_main_process() else None,
        )
    except TooFewImages as error:
        raise ValueError(
            f"{error}: the base draws that target prompt mostly right; leave it out, raise losers.max_tries, or lower "
            "losers.min_share (all sampled images are kept in the store)"
        ) from error
    if is_main_process():
        write_selection(paths.LOSERS, selection, params.base.name)
        metrics = {"images": len(selection.kept), "sampled": selection.sampled, "short": selection.short}
        provenance = {"base": params.base.name, "detector": settings.detector, "method": method}
        write_metrics(paths.METRICS / "losers.json", metrics, provenance)


if __name__ == "__main__":
    run_stage("losers", main)
