"""Stage `verdict`: compare the results with the thresholds that were set before the run."""

from __future__ import annotations

from anomend.confirming.records import record_in_force
from anomend.params.resolved import load_params
from anomend.project.metric_files import read_metrics, write_metrics
from anomend.project.paths import CONFIRMATIONS, METRICS
from anomend.project.run import run_stage
from anomend.verdict.decision import Thresholds, reach_verdict


def main() -> None:
    params = load_params()
    thresholds = params.verdict.model_dump()
    evidence = thresholds.pop("evidence")
    compare, tuned = read_metrics(METRICS / "compare.json"), read_metrics(METRICS / "measure_tuned.json")
    record = record_in_force(params, CONFIRMATIONS)
    verdict = reach_verdict(
        compare,
        tuned,
        Thresholds(**thresholds),
        evidence=evidence,
        people=read_metrics(METRICS / "people.json"),
        survey=read_metrics(METRICS / "survey.json"),
        exploratory=params.level == "quick",
        attempt=record.attempt if record else None,
    )
    target = compare["anomaly_rate_target"]
    provenance = {"thresholds": thresholds, "n": target["n"], "clusters": target["clusters"]}
    write_metrics(METRICS / "verdict.json", verdict.as_metrics(), provenance)
    about = f", confirmation {record.attempt}" if record else ""
    print(
        f"verdict by {evidence}: {verdict.outcome}{about}"
        + (", of a quick run, which proves nothing" * verdict.exploratory)
    )


if __name__ == "__main__":
    run_stage("verdict", main)
