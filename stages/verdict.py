"""Stage `verdict`: hold the comparison against the pre-registered thresholds."""

from __future__ import annotations

from anomend.params.resolved import load_params
from anomend.project.metric_files import METRICS, read_metrics, write_metrics
from anomend.project.run import run_stage
from anomend.verdict.decision import Thresholds, decide


def main() -> None:
    thresholds = load_params().verdict.model_dump()
    compare, tuned = read_metrics(METRICS / "compare.json"), read_metrics(METRICS / "measure_tuned.json")
    verdict = decide(compare, tuned, Thresholds(**thresholds))
    target = compare["anomaly_rate_target"]
    provenance = {"thresholds": thresholds, "n": target["n"], "clusters": target["clusters"]}
    write_metrics(METRICS / "verdict.json", verdict.as_metrics(), provenance)
    print(f"verdict: {verdict.verdict}")


if __name__ == "__main__":
    run_stage("verdict", main)
