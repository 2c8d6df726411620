"""Stage `losers`: anomalous images of the target prompts by the base itself, for preference training."""

from __future__ import annotations

from anomend.diffusion.rejection import Wanted, sample_by_anatomy, write_kept
from anomend.params.resolved import load_params
from anomend.project import paths
from anomend.project.metric_files import write_metrics
from anomend.project.run import run_stage


def main() -> None:
    params = load_params()
    settings = params.losers
    # DreamBooth needs none. The set is then an empty folder, so that the pipeline is the same for every method.
    wanted = Wanted(
        prompts=params.prompts.target,
        per_prompt=settings.per_prompt if params.train.method == "dpo" else 0,
        max_tries=settings.max_tries,
        first_seed=settings.first_seed,
    )
    try:
        kept, sampled = sample_by_anatomy(
            params.base,
            params.sample,
            wanted,
            detector=settings.detector,
            detectors=params.detectors,
            anomalous=True,
            description="anomalous images",
        )
    except ValueError as error:
        raise ValueError(
            f"{error}: the base draws that target prompt mostly right; leave it out, or raise losers.max_tries"
        ) from error
    write_kept(paths.LOSERS, kept, params.base.name)
    provenance = {"base": params.base.name, "detector": settings.detector, "method": params.train.method}
    write_metrics(paths.METRICS / "losers.json", {"images": len(kept), "sampled": sampled}, provenance)


if __name__ == "__main__":
    run_stage("losers", main)
