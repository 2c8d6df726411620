"""Stage `looks`: sample both models in rounds until the verdict is settled, and say how far that was.

The images, also those of the siblings, go into the store, from which `sample_base` and `sample_tuned` write the image
sets. A plan of one look samples nothing here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from anomend.comparing.interim import interim_metrics
from anomend.confirming.records import record_in_force, refuse_another_lora
from anomend.detectors.table import make_detector
from anomend.diffusion.lora_folder import lora_sha256
from anomend.diffusion.sample_sets import sampled_tables
from anomend.diffusion.tuned_model import loras_of, samplers
from anomend.measuring.detection import detection_of
from anomend.measuring.feature_store import FeatureStore
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.pictures.sample_store import SampleStore
from anomend.project import paths
from anomend.project.metric_files import write_metrics
from anomend.project.model_words import words_for
from anomend.project.run import run_stage
from anomend.project.shared_folders import shared_folder
from anomend.verdict.claims import thresholds_of
from anomend.verdict.looks import Looks, look_plan
from anomend.verdict.rounds import SIBLINGS, Metrics, Seeds, all_seeds, sample_in_rounds


def main() -> None:
    params = load_params()
    for model, lora in loras_of(params).items():
        if lora:
            refuse_another_lora(record_in_force(params, paths.CONFIRMATIONS), lora_sha256(lora), model)
    store = SampleStore(shared_folder(Path.cwd(), paths.SAMPLE_STORE, params.sample.store))
    features = FeatureStore(paths.FEATURE_STORE, params.base.device, detection=detection_of(params))
    detector = cache(lambda: make_detector(params.measure.detector, params.detectors, params.base.device))
    both, plan = cache(lambda: samplers(params, store=store)), look_plan(params)
    words = words_for(against=params.sample.against.in_use)
    siblings = all_seeds({SIBLINGS: params.prompts.siblings}, plan, len(plan.shares))

    def measure(seeds: Seeds) -> tuple[Metrics, Metrics]:
        # The siblings are sampled with the first look, so that no model is loaded for them alone; no look is at them.
        tables = sampled_tables(both(), paths.SAMPLES, seeds | siblings, params.sample.first_seed)
        trained, settings = read_imagefolder(paths.INSTANCE), params.measure
        return interim_metrics(tables, trained, detector=detector(), settings=settings, store=features, words=words)

    prompts = {"target": params.prompts.target, "held_out": params.prompts.held_out}
    rounds = sample_in_rounds(Looks(thresholds_of(params.verdict), plan), prompts, measure)
    content, shares = rounds.as_metrics(plan, params.prompts.siblings), list(plan.shares)
    write_metrics(paths.METRICS / "looks.json", content, {"shares": shares})
    print(f"look {rounds.look} of {len(plan.shares)} ({rounds.stopped})")


if __name__ == "__main__":
    run_stage("looks", main)
