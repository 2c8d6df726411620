"""What `dvc repro` would run, why, and at which cost: `make plan`, `make plan PROFILE=sd3-medium`,
`make plan SET='train.rank=32'`, `make plan LEVEL=quick`.

Settings are written as for `dvc exp run -S`, several of them separated by spaces. Nothing is run or written; except
that `TRIAL=1` loads the base, times a few steps, and keeps the times in metrics/resources/trial.json. `SCAN=1` is about
`make scan` instead.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anomend.importing.checks import check_loras
from anomend.params.params import Params
from anomend.params.profiles import resolve
from anomend.pipeline import bill, money
from anomend.pipeline.checks import check_before_run
from anomend.pipeline.costs import read_published, read_records
from anomend.pipeline.fingerprints import module_fingerprints
from anomend.pipeline.inputs import absent_inputs
from anomend.pipeline.labels_needed import label_plan
from anomend.pipeline.plan import SCAN, Planned, plan
from anomend.pipeline.resolved_files import resolved_files
from anomend.project.checkouts import found
from anomend.project.metric_files import read_metrics
from anomend.project.paths import COSTS, METRICS, PARAMS, PRICES, PROFILES, RESOURCES, RETIRED_MODELS, SCAN_CODE
from anomend.project.yaml_files import read_yaml

SHOWN = 5
"""Reasons that are printed per stage."""


def with_settings(user: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """The content of params.yaml after `dvc exp run -S SETTING ...`, by DVC's own reading of the settings.

    Raises:
        ValueError: a setting is not understood, or names a key that params.yaml does not have.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_text(PARAMS.read_text(encoding="utf-8"), encoding="utf-8")
        try:
            apply_overrides(str(path), settings)
        except DvcException as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise ValueError(f"{' '.join(settings)} cannot be set in {PARAMS}: {reason}") from None
        return read_yaml(path)


def costs(params: Params, planned: list[Planned]) -> list[str]:
    """The bill of the stages that would run, as lines of text.

    Raises:
        ValueError: a paid model has no price, or the table of speeds is broken.
    """
    stages = {each.stage for each in planned}
    usd = {}
    if "collect" in stages:
        usd["collect"] = money.collecting_usd(
            params, environment=os.environ, project=Path.cwd(), prices=PRICES, retired_models=RETIRED_MODELS
        )
    if "judge" in stages:
        usd["judge"] = money.judging_usd(params, PRICES)
    lines = bill.make_bill(
        params,
        kept=bill.kept_shares(METRICS, params),
        records=read_records(RESOURCES),
        published=read_published(COSTS),
        usd=usd,
        stages=stages,
    )
    return bill.table(lines) if lines else []


def stages_to_run(params: Params, *, scan: bool) -> list[Planned]:
    """The stages of the main pipeline, or of the scan's, that would run."""
    root = Path.cwd()
    files = resolved_files(root, params)
    if not scan:
        return plan(root, files)
    code = module_fingerprints(root, {"find": ["scan.find"], "page": ["scan.page"]})
    return plan(root, {**files, SCAN_CODE: dict(code)}, SCAN)


def scan_costs(params: Params, planned: list[Planned]) -> list[str]:
    """The bill of a scan as lines of text.

    Raises:
        ValueError: the suite cannot be read, or the table of speeds is broken.
    """
    # Here, since scipy's distributions take as long as all the rest of a plan.
    from anomend.pipeline.scan_work import STAGE, scan_bill, scan_labels
    from anomend.scanning.suites import read_suite

    if not any(each.stage.endswith(f":{STAGE}") for each in planned):
        return []
    prompts = len(read_suite(found(params.scan.suite)).prompts)
    lines = scan_bill(params, prompts, records=read_records(RESOURCES), published=read_published(COSTS))
    return [
        *bill.table(lines),
        f"{prompts} prompts: the first number if a quarter of them is drawn wrong in most images and the others hardly",
        "ever, the second at most; images that are in the store are not made again",
        *scan_labels(params, prompts),
    ]


def labels(params: Params) -> list[str]:
    """What people have to label for the verdict, as lines of text."""
    path = METRICS / "people.json"
    return label_plan(params, read_metrics(path).get("median_ms") if path.exists() else None)


def participants(params: Params) -> list[str]:
    """What the survey takes, as lines of text; none where it decides nothing.

    Raises:
        ValueError: see `anomend.pipeline.participants_needed.survey_plan`.
    """
    if params.verdict.min_preference is None:
        return []
    # Here, since scipy's distributions take as long as all the rest of a plan.
    from anomend.pipeline.participants_needed import survey_plan

    path = METRICS / "survey.json"
    return survey_plan(params, read_metrics(path) if path.exists() else None)


def asked_of_people(params: Params) -> Iterator[tuple[str, list[str]]]:
    """What people have to do, each with its heading; nothing where they decide nothing.

    Raises:
        ValueError: see `participants`.
    """
    if lines := labels(params):
        yield f"People label pictures (verdict.evidence: {params.verdict.evidence}):", lines
    if lines := participants(params):
        yield f"People answer the survey (verdict.min_preference: {params.verdict.min_preference}):", lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m commands.plan", description=__doc__)
    parser.add_argument("--profile", help="as if params.yaml named this profile")
    parser.add_argument("--set", default="", metavar="KEY=VALUE ...", help="as if these were set in params.yaml")
    parser.add_argument("--level", choices=["full", "quick"], help="as if params.yaml named this level")
    parser.add_argument("--trial", action="store_true", help="time a few steps of sampling and training first")
    parser.add_argument("--scan", action="store_true", help="what a scan would take, instead of a run")
    options = parser.parse_args()
    try:
        named = {"profile": options.profile, "level": options.level}
        settings = shlex.split(options.set) + [f"{key}={value}" for key, value in named.items() if value]
        user = with_settings(read_yaml(PARAMS), settings) if settings else read_yaml(PARAMS)
        params = resolve(user, PROFILES)
        planned = stages_to_run(params, scan=options.scan)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"plan: {error}")
    try:
        check_before_run(params, root=Path.cwd(), prices=PRICES, retired_models=RETIRED_MODELS)
        check_loras(params, absent_inputs(Path.cwd(), params))
    except (ValueError, FileNotFoundError) as error:
        print(f"Stage resolve would refuse this: {error}\n")
    try:
        for what, lines in [] if options.scan else asked_of_people(params):
            print(what)
            print(*(f"  {line}" for line in lines), sep="\n", end="\n\n")
    except ValueError as error:
        sys.exit(f"plan: {error}")
    if not planned:
        print("Nothing would run: every result belongs to these parameters, this code and these data.")
        return
    print(f"{len(planned)} stages would run with profile {params.profile}:")
    width = max(len(each.stage) for each in planned)
    for each in planned:
        more = f"; and {len(each.reasons) - SHOWN} more" if len(each.reasons) > SHOWN else ""
        print(f"  {each.stage:<{width}}  {'; '.join(each.reasons[:SHOWN])}{more}")
    try:
        if options.trial:
            from anomend.pipeline.trial import run_trial

            run_trial(params)
        print("\nWhat that takes:")
        lines = scan_costs(params, planned) if options.scan else costs(params, planned)
        print(*(f"  {line}" for line in lines), sep="\n")
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"plan: {error}")


if __name__ == "__main__":
    main()
