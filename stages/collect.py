"""Stage `collect`: gather candidate instance images for the target prompts, from one source or several."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from anomend.collecting.collection import (
    base_settings,
    collect,
    describe_plan,
    help_sampling,
    image_purchase,
    source_settings,
)
from anomend.params.resolved import load_params
from anomend.project.checkouts import found
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.launching import is_main_process, launch
from anomend.project.metric_files import write_metrics
from anomend.project.paths import COLLECTED, DATA, METRICS, PRICES, RETIRED_MODELS, SAMPLE_STORE
from anomend.project.run import run_stage
from anomend.project.shared_folders import shared_folder
from anomend.purchasing.environment import other_addresses


def main(*, dry_run: bool = False) -> None:
    params = load_params()
    prompts, collecting, root = params.prompts.target, params.collect, Path.cwd()
    purchase = image_purchase(
        collecting, environment=os.environ, project=root, prices=PRICES, retired_models=RETIRED_MODELS
    )
    store = shared_folder(root, SAMPLE_STORE, params.sample.store)
    base = base_settings(params, store=store, code=recorded_fingerprint("sampler"))
    published = found(os.environ.get("ANOMEND_PAPER_IMAGES") or collecting.paper.path)
    settings = source_settings(collecting, published=published, tables=DATA / "paper", purchase=purchase, base=base)
    if dry_run:
        print(*describe_plan(prompts, collecting, settings)[0], sep="\n")
        return
    if base:
        launch(params.sample.launcher, "stages.collect", parameter="sample.launcher")
        if not is_main_process():
            help_sampling(prompts, collecting, settings)
            return
    about = {"base": base.base.name, "detector": base.selecting.detector} if base else {}
    collection = collect(prompts, collecting, settings, folder=COLLECTED)
    provenance = {"source": collecting.source, "seed": collecting.seed, **about}
    bought = collection.metrics["requests_paid"] + collection.metrics["requests_from_store"]
    addresses = other_addresses(os.environ) if bought else {}
    skipped = {"skipped": collection.skipped} if collection.skipped else {}
    write_metrics(METRICS / "collect.json", collection.metrics, provenance | skipped | addresses)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.collect")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and its cost, and do nothing")
    dry_run = parser.parse_args().dry_run
    run_stage("collect", partial(main, dry_run=dry_run), measured=not dry_run)
