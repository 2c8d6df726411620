"""Stage `against`: take the LoRA of another program that the base side is sampled with; mostly there is none."""

from __future__ import annotations

from importlib import import_module

from anomend.diffusion.lora_origin import EXTERNAL
from anomend.importing.cards import NOTHING_AGAINST, no_lora
from anomend.params.resolved import load_params
from anomend.project import paths
from anomend.project.metric_files import write_metrics
from anomend.project.run import run_stage


def main() -> None:
    params = load_params()
    if params.sample.against.in_use:
        taken = import_module(EXTERNAL).external_lora("sample.against", params, paths.AGAINST)
    else:
        taken = no_lora(paths.AGAINST, NOTHING_AGAINST), {}
    write_metrics(paths.METRICS / "against.json", *taken)


if __name__ == "__main__":
    run_stage("against", main)
