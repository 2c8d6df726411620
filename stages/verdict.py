"""Stage `verdict`: compare the results with the thresholds that were set before the run."""

from __future__ import annotations

from anomend.params.resolved import load_params
from anomend.project.metric_files import read_metrics, write_metrics
from anomend.project.paths import METRICS
from anomend.project.run import run_stage
from anomend.verdict.decision import Thresholds, reach_verdict


def main() -> None:
    params = load_params()
    thresholds = params.verdict.model_dump()
    compare, tuned = read_metrics(METRICS / "compare.json"), read_metrics(METRICS / "measure_tuned.json")
    verdict = reach_verdict(compare, tuned, Thresholds(**thresholds), exploratory=params.level == "quick")
    target = compare["anomaly_rate_target"]
    provenance = {"thresholds": thresholds, "n": target["n"], "clusters": target["clusters"]}
    write_metrics(METRICS / "verdict.json", verdict.as_metrics(), provenance)
    print(f"verdict: {verdict.outcome}" + (", of a quick run, which proves nothing" if verdict.exploratory else ""))


if __name__ == "__main__":
    run_stage("verdict", main)
