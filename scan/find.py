"""Stage `scan`: sample the base in rounds, and tell which prompts of a suite it draws wrong."""

from __future__ import annotations

from pathlib import Path

from anomend.detectors.table import PROVEN, make_detector
from anomend.diffusion.model_samplers import model_sampler
from anomend.measuring.detection import detection_of
from anomend.measuring.feature_store import FeatureStore
from anomend.params.resolved import load_params
from anomend.pictures.sample_store import SampleStore
from anomend.project import paths
from anomend.project.checkouts import found
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.metric_files import write_metrics
from anomend.project.run import run_stage
from anomend.project.shared_folders import shared_folder
from anomend.scanning.metrics import scan_metrics
from anomend.scanning.pictures import ScanPictures, block_size, in_rounds
from anomend.scanning.rounds import scan
from anomend.scanning.rules import Rules
from anomend.scanning.suites import read_suite


def main() -> None:
    params = load_params()
    settings, rules = params.scan, Rules.of(params.scan)
    suite = read_suite(found(settings.suite))
    prompts = [prompt.prompt for prompt in suite.prompts]
    detector = make_detector(params.measure.detector, params.detectors, params.base.device)
    if not detector.kinds:
        raise ValueError(f"measure.detector = {detector.name!r} names no anomalies: a scan needs one that does")
    store = SampleStore(shared_folder(Path.cwd(), paths.SAMPLE_STORE, params.sample.store))
    sampler = model_sampler(
        params.base,
        params.sample,
        store=store,
        code=recorded_fingerprint("sampler"),
        description="scanning",
        ahead=prompts,
    )
    sampler = in_rounds(sampler, prompts, block_size(settings.seeds_per_round, params.sample.batch_size))
    features = FeatureStore(paths.FEATURE_STORE, params.base.device, detection=detection_of(params))
    pictures = ScanPictures(sampler=sampler, detector=detector, features=features)
    fresh = range(settings.fresh.first_seed, settings.fresh.first_seed + settings.fresh.seeds_per_prompt)
    seen = scan(prompts, rules, pictures.find, first_seed=settings.first_seed, fresh_seeds=fresh)
    pictures.write_examples(paths.SCANNED, seen, fresh.start)
    classes = params.class_images.prompts
    proposed = {"held_out": settings.held_out, "siblings": settings.siblings}
    metrics = scan_metrics(suite, seen, rules, **proposed, class_prompts=classes)
    about = {"base": params.base.name, "detector": detector.name, "detector_proven": detector.name in PROVEN}
    write_metrics(paths.METRICS / "scan.json", metrics, {**about, **detector.provenance(), "sampled": sampler.recipe})
    store.prune_to(params.sample.store_gigabytes, keep=sampler.samples.digest)


if __name__ == "__main__":
    run_stage("scan", main)
