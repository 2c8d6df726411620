"""Stage `against`: take the LoRA of another program that the base side is sampled with; mostly there is none."""

from __future__ import annotations

from anomend.params.resolved import load_params
from anomend.project import paths
from anomend.project.metric_files import write_metrics
from anomend.project.run import run_stage


def main() -> None:
    params = load_params()
    file = paths.METRICS / "against.json"
    if not params.sample.against.in_use:
        from anomend.importing.cards import NOTHING_AGAINST, no_lora

        write_metrics(file, no_lora(paths.AGAINST, NOTHING_AGAINST), {})
        return
    # Imported only now: torch takes seconds.
    from anomend.importing.external_lora import external_metrics, take_external

    origin = take_external(params.sample.against, "sample.against", params, paths.AGAINST)
    write_metrics(file, *external_metrics(origin, paths.AGAINST, params))


if __name__ == "__main__":
    run_stage("against", main)
