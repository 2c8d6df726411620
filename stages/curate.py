"""Stage `curate`: keep the collected images that are good enough to teach the model."""

from __future__ import annotations

from anomend.curating.curation import curate, refuse_too_few, write_curation, write_instance
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import library_versions, write_metrics
from anomend.project.paths import COLLECTED, DECISIONS, INSTANCE, METRICS, PLOTS
from anomend.project.run import run_stage


def main() -> None:
    params = load_params()
    table = read_imagefolder(COLLECTED)
    curation = curate(
        table,
        params.curate,
        detectors=params.detectors,
        device=params.base.device,
        resolution=params.base.resolution,
        decisions=DECISIONS,
    )
    write_curation(curation, PLOTS)
    refuse_too_few(curation, params.curate.min_kept, plots=PLOTS, decisions=DECISIONS)
    write_instance(curation, table, INSTANCE, resolution=params.base.resolution)
    provenance = {"detector": ", ".join(curation.detectors), **library_versions("scikit-image", "ImageHash")}
    write_metrics(METRICS / "curate.json", curation.metrics(), provenance)


if __name__ == "__main__":
    run_stage("curate", main)
