"""Stage `resolve`: overlay the chosen profile on params.yaml, validate it, and write params.resolved.yaml."""

from __future__ import annotations

from pathlib import Path

import yaml

from anomend.detectors.anatomy import check_detector
from anomend.params.resolved import RESOLVED, read_yaml, resolve
from anomend.project.run import run_stage
from anomend.purchasing.models import refuse_retired
from anomend.purchasing.prices import read_price


def main() -> None:
    params = resolve(read_yaml(Path("params.yaml")))
    # A retired or unpriced model would otherwise be found out after hours on a GPU.
    for parameter, model in params.paid_models().items():
        refuse_retired(model, parameter)
        read_price(model)
    # So would a detector that cannot run here.
    for parameter, detector in params.anatomy_detectors().items():
        if detector != "none":
            try:
                check_detector(detector)
            except ValueError as error:
                raise ValueError(f"{parameter} = {detector!r}: {error}") from error
    text = yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
    RESOLVED.write_text(text, encoding="utf-8")
    print(f"profile {params.profile}: base {params.base.name}, {len(params.prompts.target)} target prompts")


if __name__ == "__main__":
    run_stage("resolve", main)
