"""Stage `resolve`: overlay the chosen profile on params.yaml, validate it, and write params.resolved.yaml."""

from __future__ import annotations

from pathlib import Path

import yaml

from stages.cli import run_stage
from stages.params import RESOLVED, read_yaml, resolve


def main() -> None:
    params = resolve(read_yaml(Path("params.yaml")))
    RESOLVED.write_text(yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120))
    print(f"profile {params.profile}: base {params.base.name}, {len(params.prompts.target)} target prompts")


if __name__ == "__main__":
    run_stage("resolve", main)
