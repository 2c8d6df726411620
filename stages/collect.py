"""Stage `collect`: gather candidate instance images for the target prompts, from one source or several."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from anomend.collecting.collection import collect, describe_plan, source_settings
from anomend.params.resolved import load_params
from anomend.project.checkouts import found
from anomend.project.metric_files import write_metrics
from anomend.project.paths import COLLECTED, DATA, METRICS, PRICES, RETIRED_MODELS
from anomend.project.run import run_stage
from anomend.purchasing.environment import other_addresses, purchase_settings


def main(*, dry_run: bool = False) -> None:
    params = load_params()
    prompts, collecting = params.prompts.target, params.collect
    purchase = purchase_settings(
        "openai",
        model=collecting.openai.model,
        model_parameter="collect.openai.model",
        max_usd=collecting.max_usd,
        budget_parameter="collect.max_usd",
        requests=collecting.openai.requests,
        environment=os.environ,
        project=Path.cwd(),
        prices=PRICES,
        retired_models=RETIRED_MODELS,
    )
    published = found(os.environ.get("ANOMEND_PAPER_IMAGES") or collecting.paper.path)
    settings = source_settings(collecting, published=published, tables=DATA / "paper", purchase=purchase)
    if dry_run:
        print(*describe_plan(prompts, collecting, settings)[0], sep="\n")
        return
    collection = collect(prompts, collecting, settings, folder=COLLECTED)
    provenance = {"source": collecting.source, "seed": collecting.seed}
    bought = collection.metrics["requests_paid"] + collection.metrics["requests_from_store"]
    addresses = other_addresses(os.environ) if bought else {}
    skipped = {"skipped": collection.skipped} if collection.skipped else {}
    write_metrics(METRICS / "collect.json", collection.metrics, provenance | skipped | addresses)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.collect")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and its cost, and do nothing")
    dry_run = parser.parse_args().dry_run
    run_stage("collect", partial(main, dry_run=dry_run), measured=not dry_run)
