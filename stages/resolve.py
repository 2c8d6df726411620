"""Stage `resolve`: put defaults, profile and the user's settings together, and fingerprint each stage's code."""

from __future__ import annotations

from pathlib import Path

from anomend.pipeline.checks import check_before_run
from anomend.pipeline.resolved_files import as_text, resolved_values
from anomend.project.files import write_whole
from anomend.project.paths import PARAMS
from anomend.project.run import run_stage
from anomend.project.yaml_files import read_yaml


def main() -> None:
    params, files = resolved_values(Path.cwd(), read_yaml(PARAMS))
    check_before_run(params)
    for path, text in as_text(files).items():
        write_whole(path, text)
    print(f"profile {params.profile}: base {params.base.name}, {len(params.prompts.target)} target prompts")


if __name__ == "__main__":
    run_stage("resolve", main)
