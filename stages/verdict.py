"""Stage `verdict`: compare the results with the thresholds that were set before the run."""

from __future__ import annotations

from dataclasses import asdict

from anomend.confirming.records import record_in_force
from anomend.params.resolved import load_params
from anomend.project.metric_files import read_metrics, write_metrics
from anomend.project.model_words import words_in
from anomend.project.paths import CONFIRMATIONS, METRICS, PLOTS
from anomend.project.run import run_stage
from anomend.verdict.claims import thresholds_of
from anomend.verdict.decision import reach_verdict
from anomend.verdict.evidence import read_findings
from anomend.verdict.headline import headline, rate_rows
from anomend.verdict.looks import look_plan
from anomend.verdict.rounds import sampled_of


def main() -> None:
    params = load_params()
    thresholds = thresholds_of(params.verdict)
    compare, tuned = read_metrics(METRICS / "compare.json"), read_metrics(METRICS / "measure_tuned.json")
    people, of_tuned = read_metrics(METRICS / "people.json"), read_metrics(METRICS / "sample_tuned.json")
    taken, plan = read_metrics(METRICS / "looks.json"), look_plan(params)
    record = record_in_force(params, CONFIRMATIONS)
    verdict = reach_verdict(
        compare,
        tuned,
        thresholds,
        evidence=params.verdict.evidence,
        people=people,
        survey=read_metrics(METRICS / "survey.json"),
        exploratory=params.level == "quick",
        tuned_model=of_tuned.get("tuned_model", ""),
        words=words_in(of_tuned),
        attempt=record.attempt if record else None,
        plan=plan,
        earlier=[read_findings(each["compare"], each["measure_tuned"]) for each in taken["earlier"]],
        sampled=sampled_of(taken, plan),
    )
    target = compare["anomaly_rate_target"]
    provenance = {"thresholds": asdict(thresholds), "n": target["n"], "clusters": target["clusters"]}
    metrics = verdict.as_metrics()
    write_metrics(METRICS / "verdict.json", metrics, provenance)
    write_metrics(METRICS / "headline.json", headline(metrics, compare, people), {"from": ["metrics/verdict.json"]})
    PLOTS.mkdir(parents=True, exist_ok=True)
    rate_rows(metrics, compare, people).to_csv(PLOTS / "rates.csv", index=False, lineterminator="\n")
    about = f", confirmation {record.attempt}" if record else ""
    print(
        f"verdict by {params.verdict.evidence}: {verdict.outcome}{about}"
        + (", of a quick run, which proves nothing" * verdict.exploratory)
    )


if __name__ == "__main__":
    run_stage("verdict", main)
