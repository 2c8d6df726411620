"""Stage `resolve`: put defaults, profile and the user's settings together, and fingerprint each stage's code."""

from __future__ import annotations

import sys
from pathlib import Path

from anomend.importing.checks import check_loras
from anomend.params.profiles import resolve
from anomend.pipeline.bill import kept_shares, make_bill, summary
from anomend.pipeline.checks import check_before_run
from anomend.pipeline.costs import read_published, read_records
from anomend.pipeline.input_links import link_inputs
from anomend.pipeline.inputs import absent_inputs
from anomend.pipeline.resolved_files import resolved_files, write_files
from anomend.project.lock import environment_differences
from anomend.project.paths import COSTS, METRICS, PARAMS, PRICES, PROFILES, RESOURCES, RETIRED_MODELS
from anomend.project.run import run_stage
from anomend.project.yaml_files import read_yaml


def main() -> None:
    params = resolve(read_yaml(PARAMS), PROFILES)
    root = Path.cwd()
    check_before_run(params, root=root, prices=PRICES, retired_models=RETIRED_MODELS)
    absent = absent_inputs(root, params)
    check_loras(params, absent)
    for parameter in absent:
        print(f"resolve: what {parameter} names is not on this machine, and counts as unchanged", file=sys.stderr)
    write_files(resolved_files(root, params))
    link_inputs(root, params)
    for difference in environment_differences():
        print(f"resolve: {difference}; results will say so", file=sys.stderr)
    level = "" if params.level == "full" else f", level {params.level}"
    print(f"profile {params.profile}{level}: base {params.base.name}, {len(params.prompts.target)} target prompts")
    kept, records = kept_shares(METRICS, params), read_records(RESOURCES)
    print(summary(make_bill(params, kept=kept, records=records, published=read_published(COSTS))))


if __name__ == "__main__":
    run_stage("resolve", main)
