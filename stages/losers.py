"""Stage `losers`: the base's own anomalous images of the target prompts, for preference training."""

from __future__ import annotations

from pathlib import Path

from anomend.detectors.table import make_detector
from anomend.diffusion.rejection import Kept, base_sampler, sample_kept, write_kept
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.project.metric_files import METRICS, write_metrics
from anomend.project.run import run_stage

LOSERS = Path("data/losers")


def sample_losers(params: Params) -> tuple[list[Kept], int]:
    """Images of the base in which the detector finds an anomaly, and how many were sampled for them."""
    settings = params.losers
    detector = make_detector(settings.detector, params.detectors)
    try:
        return sample_kept(
            params.prompts.target,
            settings.per_prompt,
            settings.max_tries,
            settings.first_seed,
            base_sampler(params.base, params.sample, params.prompts.target, "anomalous images"),
            lambda images: [bool(anomalies) for anomalies in detector.anomalies(images)],
        )
    except ValueError as error:
        raise ValueError(
            f"{error}: the base draws that target prompt mostly right; leave it out, or raise losers.max_tries"
        ) from error


def main() -> None:
    params = load_params()
    # DreamBooth needs none: the set is then an empty folder, so that the pipeline is the same for every method.
    kept, tried = sample_losers(params) if params.train.method == "dpo" else ([], 0)
    write_kept(LOSERS, kept, params.base.name)
    provenance = {"base": params.base.name, "detector": params.losers.detector, "method": params.train.method}
    write_metrics(METRICS / "losers.json", {"images": len(kept), "sampled": tried}, provenance)


if __name__ == "__main__":
    run_stage("losers", main)
