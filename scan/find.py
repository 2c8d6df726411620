"""Stage `scan`: sample the base in rounds, and tell which prompts of a suite it draws wrong."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from anomend.detectors.table import PROVEN
from anomend.params.resolved import load_params
from anomend.pictures.sample_store import SampleStore
from anomend.project import paths
from anomend.project.checkouts import found
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.metric_files import write_metrics
from anomend.project.run import run_stage
from anomend.project.shared_folders import shared_folder
from anomend.scanning.chosen import ChosenPictures
from anomend.scanning.labelled import judged_by_people
from anomend.scanning.metrics import scan_metrics
from anomend.scanning.pictures import judged_by_detector, scan_sampler, write_examples
from anomend.scanning.rounds import scan
from anomend.scanning.rules import Rules
from anomend.scanning.suites import read_suite
from anomend.surveying.labels import build_scan_labels


def main() -> None:
    params = load_params()
    settings, rules = params.scan, Rules.of(params.scan)
    suite = read_suite(found(settings.suite))
    prompts = [prompt.prompt for prompt in suite.prompts]
    store = SampleStore(shared_folder(Path.cwd(), paths.SAMPLE_STORE, params.sample.store))
    sampler = scan_sampler(params, prompts, store=store, code=recorded_fingerprint("sampler"))
    fresh = range(settings.fresh.first_seed, settings.fresh.first_seed + settings.fresh.seeds_per_prompt)
    about: dict[str, object] = {"base": params.base.name, "evidence": settings.evidence, "sampled": sampler.recipe}
    decide = partial(scan, prompts, rules, first_seed=settings.first_seed, fresh_seeds=fresh)
    people = judged_by_people(params.label, sampler, found(params.label.labels)) if settings.asks_people else None
    if settings.evidence == "people":
        assert people
        seen = decide(people.find)
    else:
        machine = judged_by_detector(params, sampler, paths.FEATURE_STORE)
        name = machine.detector.name
        about |= {"detector": name, "detector_proven": name in PROVEN, **machine.detector.provenance()}
        if people:
            chosen = ChosenPictures(
                detect=machine.find,
                said_of=people.said_of,
                images_per_label=settings.images_per_label,
                focus=(settings.limit + settings.worth) / 2,
                fresh=fresh,
            )
            seen = decide(chosen.find, weights=chosen.weights)
            about |= {"images_per_label": settings.images_per_label}
        else:
            seen = decide(machine.find)
    paths.SCAN_LABELS.mkdir(parents=True, exist_ok=True)
    if people:
        build_scan_labels(people.design(seen.waiting), params.label, paths.SCAN_LABELS)
        about |= people.provenance()
    write_examples(paths.SCANNED, sampler, seen, fresh.start)
    proposed = {"held_out": settings.held_out, "siblings": settings.siblings}
    metrics = scan_metrics(suite, seen, rules, **proposed, class_prompts=params.class_images.prompts)
    write_metrics(paths.METRICS / "scan.json", metrics, about)
    store.prune_to(params.sample.store_gigabytes, keep=sampler.samples.digest)


if __name__ == "__main__":
    run_stage("scan", main)
